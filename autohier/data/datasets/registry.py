"""Datasets by name: autohier's own and those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from autohier.data.datasets.base import DatasetExtension, DatasetReader, Origin
from autohier.data.layout_files import choose_layout
from autohier.data.names import plain_name
from autohier.data.pose_units import PoseUnits
from autohier.errors import AutohierError, InputError, nearest
from autohier.extensions import Extension, Registry
from autohier.faults import find_faults

_ROOM: Final = "autohier.data.datasets"

DATASETS: Final = Registry(
    "autohier.dataset_readers",
    "dataset",
    {
        "ntu60": DatasetExtension(f"{_ROOM}.ntu.reader:build_ntu60", modalities=("rgb", "skeleton")),
        "ntu120": DatasetExtension(f"{_ROOM}.ntu.reader:build_ntu120", modalities=("rgb", "skeleton")),
        "n-ucla": DatasetExtension(f"{_ROOM}.n_ucla.reader:build_ucla", modalities=("rgb", "skeleton")),
        "utd-mhad": DatasetExtension(
            f"{_ROOM}.utd_mhad.reader:build_utd_mhad", modalities=("depth", "rgb", "skeleton")
        ),
        "gym99": DatasetExtension(f"{_ROOM}.gym99.reader:build_gym99"),
        "demo": DatasetExtension(f"{_ROOM}.demo.reader:build_demo"),
        "pyskl": DatasetExtension(
            f"{_ROOM}.pyskl.reader:build_pyskl",
            modalities=("skeleton",),
            takes_name=True,
            takes_poses=True,
        ),
        "custom": DatasetExtension(
            f"{_ROOM}.custom.reader:build_custom",
            modalities=("rgb", "skeleton"),
            takes_name=True,
            takes_poses=True,
        ),
    },
)


def open_dataset(
    name: str,
    *,
    modality: str | None = None,
    source: Path | None = None,
    stored_as: str | None = None,
    subject_pattern: str | None = None,
    settings: Mapping[str, object] | None = None,
    pose_units: str = "",
    layout: str = "",
) -> DatasetReader:
    """Return the reader of a dataset.

    Args:
        name: one of the names in `DATASETS`; case and ``_`` for ``-`` do not matter.
        modality: modality of the frames; None for the dataset's default.
        source: the folder or file to read; required by datasets whose classes and splits are in their source.
        stored_as: name of a dataset of the user's own; None for the name of its source.
        subject_pattern: regular expression whose group finds the subject in a clip's id.
        settings: values for the settings class that a package declares for its dataset.
        pose_units: units of poses that are the user's own, see `PoseUnits.parse`; empty for pixels or meters.
        layout: layout of joints that are the user's own: shipped or in a TOML file; empty for the reader's.

    Raises:
        InputError: if the dataset, its modality, a setting, a unit or the layout is unknown, or its name,
            units or layout cannot be chosen.
        MissingDataError: if a source is required and missing.
    """
    registered, extension = find_dataset(name)
    if stored_as is not None and not extension.takes_name:
        own = [one for one in DATASETS.names if find_dataset(one)[1].takes_name]
        raise InputError(
            f"only the datasets {' and '.join(own)} take a name",
            got=repr(stored_as),
            hint="leave out --name",
        )
    if subject_pattern is not None and not extension.takes_name:
        raise InputError(
            f"--subject-pattern does not apply to {registered}, whose files name their subjects",
            got=subject_pattern,
            hint="leave it out",
        )
    units = PoseUnits.parse(pose_units)
    if not extension.takes_poses:
        _refuse_poses(registered, pose_units=units.text, layout=layout)
    chosen = modality or extension.modalities[0]
    if chosen not in extension.modalities:
        raise InputError(
            f"the modality of {registered} must be one of {', '.join(extension.modalities)}",
            got=repr(modality),
            hint=nearest(chosen, list(extension.modalities)),
        )
    built = extension.load()(
        Origin(
            chosen,
            source,
            stored_as,
            _read_settings(registered, extension, settings),
            subject_pattern,
            units,
            choose_layout(layout) if layout else None,
        )
    )
    reader: DatasetReader = built
    return reader


def find_dataset(name: str) -> tuple[str, DatasetExtension]:
    """Return the registered spelling of a dataset's name, and its extension.

    Raises:
        InputError: if no dataset has this name; the hint is the nearest one.
    """
    plain = plain_name(name)
    registered = next((one for one in DATASETS.names if plain_name(one) == plain), name)
    extension = DATASETS.find(registered)
    if not isinstance(extension, DatasetExtension) or not extension.modalities:
        raise InputError(
            f"the package of dataset {registered!r} must declare a DatasetExtension with a modality",
            got=type(extension).__name__,
            hint="see autohier.data.datasets.base",
        )
    return registered, extension


def modalities_in(name: str, source: Path) -> list[str]:
    """Return the modalities of a dataset that a source has files of; empty for a dataset of the user's own.

    Args:
        name: name of the dataset, as for `open_dataset`.
        source: folder of its source files.
    """
    try:
        registered, extension = find_dataset(name)
    except InputError:  # a dataset of the user's own has one modality
        return []
    found = []
    for modality in extension.modalities:
        try:
            reader = open_dataset(registered, modality=modality, source=source)
            clips = reader.find_clips(source)
        except AutohierError:
            continue  # this modality cannot be read from the source
        if any(clip.video_path if reader.channels else clip.skeleton_path for clip in clips):
            found.append(modality)
    return found


def dataset_settings(name: str, settings: Mapping[str, object]) -> dict[str, Any]:
    """Return all settings of a dataset's reader, also those at their default, as values for a record.

    Args:
        name: name of the dataset, as for `open_dataset`.
        settings: values that the user gives.

    Raises:
        InputError: if a setting is unknown or its value is invalid.
    """
    model: Any = _read_settings(*find_dataset(name), settings)
    values: dict[str, Any] = {} if model is None else model.model_dump(mode="json")
    return values


def _refuse_poses(name: str, **given: str) -> None:
    for option, value in given.items():
        if value:
            raise InputError(
                f"the {option.replace('_', ' ')} of {name} cannot be chosen",
                got=value,
                hint=f"leave out --{option.replace('_', '-')}",
            )


def _read_settings(name: str, extension: Extension, settings: Mapping[str, object] | None) -> object:
    given, model = dict(settings or {}), extension.settings
    if model is None:
        if given:
            raise InputError(
                f"the reader of {name} has no settings",
                got=", ".join(given),
                hint="leave out --reader-option",
            )
        return None
    valid = list(model.model_fields)
    for setting in given:  # a model may ignore names that it does not know
        if setting not in valid:
            raise InputError(
                f"unknown setting {setting!r} of the reader of {name}", hint=nearest(setting, valid)
            )
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(fault.text for fault in find_faults(error))
        raise InputError(
            f"settings of the reader of {name}: {faults}",
            hint=f"write --reader-option NAME=VALUE; its settings are {', '.join(valid)}",
        ) from error
