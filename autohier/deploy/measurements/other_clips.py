"""Clips of another prepared dataset for a model: which of them it can classify, with classes matched by name.

Legend: N clips, K classes of the other dataset.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.names import composed
from autohier.data.splits import split_masks
from autohier.data.store.paths import MANIFEST, find_store_folder
from autohier.data.store.reader import ClipStore
from autohier.deploy.trained_models import TrainedModel
from autohier.errors import InputError
from autohier.text import listing

ALL_CLIPS: Final = "all clips"
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class OtherClips:
    """Clips of a store, as a model sees them."""

    store: ClipStore
    scope: str
    """Which of the store's clips these are, e.g. "all clips"."""
    rows: NDArray[np.int64]
    """Rows of the clips whose class the model knows."""
    labels_N: NDArray[np.int64]
    """Their classes, in the order of the model's outputs."""
    unknown: tuple[tuple[str, int], ...]
    """Classes that the model does not know, with their number of clips, which are left out."""
    missing: tuple[str, ...]
    """Classes of the model without a clip here."""
    respelled: tuple[tuple[str, str], ...]
    """Classes whose names differ in case, hyphens or underscores: name here, name in the model."""
    num_trained: int
    """Clips among them with the id of a clip that trained the model."""

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Ids of the clips, in the order of the rows."""
        return tuple(self.store.clips.clip_id[row] for row in self.rows)


def find_other_store(name: str | Path, data: Path) -> Path | None:
    """Return the folder of a prepared dataset, given by its folder or by its name; None if there is none.

    Args:
        name: folder of a store, or the name of a dataset or store in the folder of prepared datasets.
        data: that folder.
    """
    folder = Path(name)
    if (folder / MANIFEST).is_file():
        return folder
    if len(folder.parts) != 1:
        return None
    named = find_store_folder(data, str(name), None)
    return named if (named / MANIFEST).is_file() else None


def choose_clips(
    model: TrainedModel, store: ClipStore, *, every_clip: bool = False, takes_own: bool = False
) -> OtherClips:
    """Choose the clips of a store that measure a model.

    These are the test clips of the model's protocol if the store is of the model's dataset, e.g. with poses
    of another source; else all clips. Clips of classes that the model does not know are left out.

    Args:
        model: the model.
        store: a store of clips.
        every_clip: takes all clips of a store of the model's dataset, too.
        takes_own: accepts the store that the model was trained on.

    Raises:
        InputError: if these are the clips of the model itself, or no clip has a class that it knows.
    """
    if store.fingerprint in model.own_clips and not takes_own:
        raise InputError(
            "--data must name other clips than those that the model was trained on",
            got=store.folder,
            hint="leave it out: autohier evaluate SWEEP[:TRIAL] measures and records the test split",
        )
    manifest = store.manifest
    own_protocol = next((each for each in manifest.protocols if each.name == model.protocol), None)
    candidates, scope = np.arange(len(store)), ALL_CLIPS
    if manifest.dataset == model.dataset and own_protocol is not None and not every_clip:
        _, is_test = split_masks(store.clips, own_protocol)
        candidates, scope = np.flatnonzero(is_test), f"test clips of {own_protocol.name}"
    classes_K, respelled = match_classes(manifest.class_names, model.classes)
    labels = classes_K[store.clips.label[candidates]]
    known = labels != _UNKNOWN
    if not known.any():
        raise InputError(
            f"{store.folder} must have clips of the model's classes",
            got=f"none: {_some(manifest.class_names)} in place of {_some(model.classes)}",
            hint="classes are matched by name: prepare the dataset with the model's names of classes",
        )
    counts = Counter(manifest.class_names[label] for label in store.clips.label[candidates[~known]])
    present = set(labels[known].tolist())
    rows = candidates[known]
    return OtherClips(
        store=store,
        scope=scope,
        rows=rows,
        labels_N=labels[known],
        unknown=tuple(counts.items()),
        missing=tuple(name for index, name in enumerate(model.classes) if index not in present),
        respelled=respelled,
        num_trained=sum(store.clips.clip_id[row] in model.training_ids for row in rows),
    )


def match_classes(
    names: Sequence[str], known: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[tuple[str, str], ...]]:
    """Match classes by name.

    Equal names match. Otherwise names match that differ only in case, blanks, hyphens and underscores, if
    each has one counterpart at most.

    Args:
        names: classes to match.
        known: classes of a model.

    Returns:
        The index among the known classes of every name, -1 for an unknown one; and the pairs of matched names
        that differ.
    """
    index_of = {composed(name): index for index, name in enumerate(known)}
    plain_names, plain_known = Counter(map(_plain, names)), Counter(map(_plain, known))
    index_of_plain = {_plain(name): index for index, name in enumerate(known)}
    matched, respelled = [], []
    for name in names:
        index = index_of.get(composed(name), _UNKNOWN)
        plain = _plain(name)
        if index == _UNKNOWN and plain_names[plain] == plain_known[plain] == 1:
            index = index_of_plain[plain]
            respelled.append((name, known[index]))
        matched.append(index)
    return np.array(matched, dtype=np.int64), tuple(respelled)


def open_others(names: Sequence[Path]) -> list[ClipStore]:
    """Open prepared datasets in their folders.

    Raises:
        MissingDataError: if one is damaged or of another version.
        InputError: if one is given twice.
    """
    stores = [ClipStore.open(folder) for folder in names]
    repeated = [name for name, count in Counter(store.fingerprint for store in stores).items() if count > 1]
    if repeated:
        raise InputError(
            "each prepared dataset must be given once with --data", got=listing([str(name) for name in names])
        )
    return stores


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", composed(name)).strip().casefold()


def _some(names: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, ..." if len(names) > limit else shown
