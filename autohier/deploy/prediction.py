"""Predictions of an exported model for new clips, prepared by the code that prepared its training clips.

Legend: N clips, K classes, S superclasses of one head, M networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.core.late_fusion import average
from autohier.core.training.metrics import Predictions
from autohier.data.datasets.base import ClipReader, ClipSource
from autohier.data.prepare.clip import BadFileError, prepare_clip
from autohier.data.store.memory import ClipsInMemory
from autohier.data.store.prepared_clip import PreparedClip
from autohier.deploy.model_file import ExportedModel, ExportedNetwork, read_model_file
from autohier.deploy.networks.runtimes import RuntimeName, load_networks
from autohier.deploy.new_clips import (
    ArrayReader,
    ClipArrays,
    name_files,
    new_source,
    open_file_reader,
    open_labelled,
    sources_of_files,
)
from autohier.deploy.temperature import scale
from autohier.errors import ClipError, InputError

_CLIPS_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class SuperclassGuess:
    """Most probable superclass of one head, front to back."""

    index: int
    """Number of the superclass among those of its head."""
    probability: float
    classes: tuple[str, ...]
    """Classes in the superclass."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction for one clip."""

    clip_id: str
    classes: tuple[str, ...]
    """Most probable classes, the best first."""
    probabilities: tuple[float, ...]
    """Their probabilities as `autohier evaluate` averages them, over frame sets and networks."""
    confidences: tuple[float, ...]
    """Their probabilities after temperature scaling, which match the accuracy on validation clips."""
    superclasses: tuple[SuperclassGuess, ...]
    """Guess of each superclass head, of the network with the highest weight."""


@dataclass(frozen=True, slots=True)
class ClipFailure:
    """A clip that no network could read."""

    clip_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """Clips as one network reads them."""

    reader: ClipReader
    sources: tuple[ClipSource, ...]


class LoadedModel:
    """Exported model, ready to predict.

    >>> model = load_model("walk-or-run")
    >>> model.predict("new/clip1.mp4").classes[0]
    'walk'
    """

    def __init__(
        self, folder: Path, *, runtime: RuntimeName = "auto", device: str = "auto", num_threads: int = 1
    ) -> None:
        """Read a model and move its networks to a device.

        Args:
            folder: folder that ``autohier export`` wrote.
            runtime: what computes; "auto" takes torch if it is installed, else onnxruntime.
            device: "auto", "cpu", "cuda", ...
            num_threads: CPU threads.

        Raises:
            InputError: if the folder holds no model, the device is unknown, or the runtime cannot compute
                the model.
        """
        self.description: ExportedModel = read_model_file(folder)
        self._networks = tuple(
            load_networks(folder, self.description, runtime=runtime, device=device, num_threads=num_threads)
        )

    def predict(
        self, clip: str | Path | ClipArrays, *, poses: str | Path | None = None, top: int = 5
    ) -> Prediction:
        """Predict one clip.

        Args:
            clip: file of the clip, a video or a pose file as the model reads it, or its arrays.
            poses: folder with a pose file of the video's name.
            top: number of classes to return.

        Raises:
            ClipError: if the clip cannot be read.
        """
        if isinstance(clip, ClipArrays):
            readings = [
                _Reading(ArrayReader(network.prepared, clip), (new_source("clip"),))
                for network in self.description.networks
            ]
        else:
            readings = self._readings([Path(clip)], None if poses is None else Path(poses))
        (found,) = self._predict(readings, top, None)
        if isinstance(found, ClipFailure):
            raise ClipError(f"cannot read the clip: {found.reason}")
        return found

    def predict_read(
        self, open_reader: Callable[[ExportedNetwork], ClipReader], *, whole_frame: bool = False, top: int = 5
    ) -> Prediction | ClipFailure:
        """Predict the one clip of a reader.

        Args:
            open_reader: returns the reader for a network.
            whole_frame: True reads a clip without poses uncropped, though training clips were cropped.
            top: number of classes to return.
        """
        readings = [
            _Reading(open_reader(network), (new_source("clip"),)) for network in self.description.networks
        ]
        (found,) = self._predict(readings, top, None, whole_frame=whole_frame)
        return found

    def predict_files(
        self,
        files: Sequence[Path],
        *,
        poses: Path | None = None,
        whole_frame: bool = False,
        top: int = 5,
        on_progress: Callable[[int], None] | None = None,
    ) -> Iterator[Prediction | ClipFailure]:
        """Predict files one after the other; memory holds 64 prepared clips.

        Args:
            files: videos or pose files, as the model reads them.
            poses: folder with a pose file of each video's name.
            whole_frame: True reads a video without poses uncropped, though training clips were cropped.
            top: number of classes to return.
            on_progress: called with the number of clips that are done.

        Raises:
            InputError: if a file is given twice.
            MissingDataError: if a file does not exist.
        """
        readings = self._readings(files, poses)
        return self._predict(readings, top, on_progress, whole_frame=whole_frame)

    def predict_source(
        self, source: Path, *, top: int = 5, on_progress: Callable[[int], None] | None = None
    ) -> tuple[dict[str, str], Iterator[Prediction | ClipFailure]]:
        """Predict all clips of a folder in the layout of the model's dataset.

        Args:
            source: the folder, or the pickle of a user's own poses.
            top: number of classes to return.
            on_progress: called with the number of clips that are done.

        Returns:
            The class of each clip by its id, and the predictions.

        Raises:
            InputError, MissingDataError: see `open_labelled`.
        """
        found = [open_labelled(network.prepared, source) for network in self.description.networks]
        shared = set[str].intersection(*({clip.clip_id for clip in each.sources} for each in found))
        readings = [
            _Reading(each.reader, tuple(clip for clip in each.sources if clip.clip_id in shared))
            for each in found
        ]
        return found[0].class_of(), self._predict(readings, top, on_progress)

    def _readings(self, files: Sequence[Path], poses: Path | None) -> list[_Reading]:
        names = name_files(files)
        return [
            _Reading(
                open_file_reader(network.prepared),
                tuple(sources_of_files(network.prepared, files, names, poses)),
            )
            for network in self.description.networks
        ]

    def _predict(
        self,
        readings: Sequence[_Reading],
        top: int,
        on_progress: Callable[[int], None] | None,
        *,
        whole_frame: bool = False,
    ) -> Iterator[Prediction | ClipFailure]:
        num_clips = len(readings[0].sources)
        for start in range(0, num_clips, _CLIPS_AT_A_TIME):
            rows = range(start, min(start + _CLIPS_AT_A_TIME, num_clips))
            reasons: dict[str, str] = {}
            stacks: list[tuple[ClipsInMemory, list[NDArray[np.float32]]] | None] = []
            for network, loaded, reading in zip(
                self.description.networks, self._networks, readings, strict=True
            ):
                sources = [reading.sources[row] for row in rows]
                clips = _prepare(network, reading.reader, sources, reasons, whole_frame=whole_frame)
                every_row = np.arange(len(clips.prepared))
                stacks.append((clips, loaded.predict(clips, every_row)) if clips.prepared else None)
            found = self._combine(stacks, top)
            for row in rows:
                clip_id = readings[0].sources[row].clip_id
                yield found.get(clip_id) or ClipFailure(clip_id, reasons[clip_id])
            if on_progress is not None:
                on_progress(rows.stop)

    def _combine(
        self, stacks: Sequence[tuple[ClipsInMemory, list[NDArray[np.float32]]] | None], top: int
    ) -> dict[str, Prediction]:
        """Average the networks' probabilities; returns predictions by clip id."""
        members, weights = [], []
        for network, result in zip(self.description.networks, stacks, strict=True):
            if result is not None:
                clips, own = result
                table = clips.clips
                members.append(Predictions(table.clip_id, table.label, own[-1]))
                weights.append(network.fusion_weight)
        if not members:
            return {}
        fused = members[0] if len(members) == 1 else average(members, weights)
        scaled_NK = scale(fused.probabilities_NK, self.description.calibration.temperature)
        guesses = self._superclasses(stacks)
        classes = self.description.classes
        found = {}
        for row, clip_id in enumerate(fused.clip_ids):
            best = np.argsort(-fused.probabilities_NK[row], kind="stable")[:top].tolist()
            found[clip_id] = Prediction(
                clip_id=clip_id,
                classes=tuple(classes[each] for each in best),
                probabilities=tuple(float(fused.probabilities_NK[row, each]) for each in best),
                confidences=tuple(float(scaled_NK[row, each]) for each in best),
                superclasses=guesses.get(clip_id, ()),
            )
        return found

    def _superclasses(
        self, stacks: Sequence[tuple[ClipsInMemory, list[NDArray[np.float32]]] | None]
    ) -> dict[str, tuple[SuperclassGuess, ...]]:
        weights = [network.fusion_weight for network in self.description.networks]
        first = max(range(len(weights)), key=weights.__getitem__)
        result = stacks[first]
        if result is None:
            return {}
        hierarchy = self.description.networks[first].network.hierarchy
        clips, own = result
        return {
            clip_id: tuple(
                self._guess(assignment, stack_NS[row])
                for assignment, stack_NS in zip(hierarchy[:-1], own[:-1], strict=True)
            )
            for row, clip_id in enumerate(clips.clips.clip_id)
        }

    def _guess(self, assignment: Sequence[int], probabilities_S: NDArray[np.float32]) -> SuperclassGuess:
        best = int(probabilities_S.argmax())
        names = zip(self.description.classes, assignment, strict=True)
        return SuperclassGuess(
            index=best,
            probability=float(probabilities_S[best]),
            classes=tuple(name for name, superclass in names if superclass == best),
        )


def load_model(
    folder: str | Path, *, runtime: RuntimeName = "auto", device: str = "auto", num_threads: int = 1
) -> LoadedModel:
    """Load an exported model; see `LoadedModel`."""
    return LoadedModel(Path(folder), runtime=runtime, device=device, num_threads=num_threads)


def _prepare(
    network: ExportedNetwork,
    reader: ClipReader,
    sources: Sequence[ClipSource],
    reasons: dict[str, str],
    *,
    whole_frame: bool,
) -> ClipsInMemory:
    """Prepare clips for one network; those that cannot be read are left out, and their reasons added."""
    options = network.prepared.options
    if whole_frame or not network.needs_poses:
        options = options.model_copy(update={"without_skeleton": "whole-frame"})
    prepared: list[PreparedClip] = []
    for source in sources:
        try:
            prepared.append(prepare_clip(reader, source, options)[0])
        except BadFileError as error:
            reasons[source.clip_id] = error.rejection.reason
        except InputError as error:
            reasons[source.clip_id] = str(error)
    return ClipsInMemory(tuple(prepared), options.size_px, network.prepared.channels)
