"""Recognition while a video is read: poses of each frame, and every few frames the classes of the last ones.

Legend: K classes, H W pixels.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.video.live_source import LiveFrame
from autohier.deploy.live.part_times import PartTimes
from autohier.deploy.live.requirements import check_layout, check_model, check_room
from autohier.deploy.live.window import SeenFrame, Window, WindowLength, WindowReader, reads_pictures
from autohier.deploy.prediction import ClipFailure, LoadedModel
from autohier.errors import ClipError
from autohier.poses.estimator import FoundPerson, PoseEstimator
from autohier.poses.finding import seen_in_frame

POSES: Final = "poses"
RECOGNITION: Final = "recognition"


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Settings of a recognition."""

    window: WindowLength
    every: int = 15
    """Frames between two recognitions."""
    smooth: int = 3
    """Number of windows, the last ones, whose probabilities are averaged."""
    max_persons: int = 2
    """Persons of a window that are kept, the surest first."""
    whole_frame: bool = False
    """True reads windows without poses uncropped."""


@dataclass(frozen=True, slots=True)
class LiveLabel:
    """Classes of one window, the most probable first; none if it could not be read."""

    first_frame: int
    last_frame: int
    end_s: float
    """End of the window, in seconds since the first frame of the source."""
    classes: tuple[str, ...]
    confidences: tuple[float, ...]
    """Probabilities after temperature scaling, averaged over the last windows."""
    fault: str = ""
    """Why it could not be read; empty if it was."""


class LiveRecognizer:
    """Recognizes the actions in the frames that it is given, one after the other."""

    def __init__(
        self, model: LoadedModel, estimator: PoseEstimator | None, settings: LiveSettings, *, top: int = 3
    ) -> None:
        """Check that the model can read what there is.

        Args:
            model: the model.
            estimator: finds the persons of a frame; None if the model needs no poses.
            settings: settings.
            top: number of classes of a label.

        Raises:
            InputError: if the model reads depth, or needs poses and there is no estimator.
        """
        check_model(model.description, has_poses=estimator is not None, whole_frame=settings.whole_frame)
        self.times = PartTimes()
        self.persons: tuple[FoundPerson, ...] = ()
        """Persons of the last frame."""
        self.num_windows = 0
        """Windows that were recognized, also those that could not be read."""
        self._model, self._estimator, self._settings, self._top = model, estimator, settings, top
        self._keeps_pictures = any(reads_pictures(network) for network in model.description.networks)
        self._window = Window(settings.window)
        self._next = 0
        self._recent: deque[NDArray[np.float64]] = deque(maxlen=settings.smooth)
        if estimator is not None:
            estimator.start_video()

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of joints of the persons; empty without a pose estimator."""
        return () if self._estimator is None else self._estimator.layout.edges

    def see(self, frame: LiveFrame) -> LiveLabel | None:
        """Take the next frame; returns a label if the classes are recognized after it.

        Raises:
            InputError: if the joints of the pose model are not those that the model reads, or the pictures
                of a window exceed the memory.
            ClipError: if the frame has another size than those before it.
        """
        seen = self._seen(frame)
        self._check(frame, seen)
        self._window.add(seen)
        if not self._window.is_full or frame.number < self._next:
            return None
        self._next = frame.number + self._settings.every
        return self._recognize()

    def finish(self) -> LiveLabel | None:
        """Return the label of a video that was shorter than a window; None if there was one, or no frame."""
        return self._recognize() if self._window.frames and not self.num_windows else None

    def _seen(self, frame: LiveFrame) -> SeenFrame:
        height_px, width_px = frame.picture_HW3.shape[:2]
        if self._estimator is not None:
            with self.times.measure(POSES):
                found = self._estimator.find(frame.picture_HW3)
                inside = [seen_in_frame(each, width_px, height_px) for each in found]
                self.persons = tuple(person for person in inside if person.scores_V.any())
        return SeenFrame(
            frame.number,
            frame.start_s,
            frame.start_s + frame.duration_s,
            (width_px, height_px),
            frame.picture_HW3 if self._keeps_pictures else None,
            self.persons,
        )

    def _check(self, frame: LiveFrame, seen: SeenFrame) -> None:
        if self._estimator is not None and self.persons:
            check_layout(self._model.description, self._estimator.layout)
        if not self._window.frames:
            if self._keeps_pictures:
                check_room(self._settings.window, frame)
        elif self._window.frames[-1].size_px != seen.size_px:
            sizes = [
                f"{width} x {height}" for width, height in (self._window.frames[-1].size_px, seen.size_px)
            ]
            raise ClipError("the frames of a video must be of one size", got=" and ".join(sizes))

    def _recognize(self) -> LiveLabel:
        self.num_windows += 1
        frames, classes = tuple(self._window.frames), self._model.description.classes
        with self.times.measure(RECOGNITION):
            found = self._model.predict_read(
                lambda network: WindowReader(
                    network,
                    frames,
                    None if self._estimator is None else self._estimator.layout,
                    self._settings.max_persons,
                ),
                whole_frame=self._settings.whole_frame,
                top=len(classes),
            )
        place = (frames[0].number, frames[-1].number, frames[-1].end_s)
        if isinstance(found, ClipFailure):
            self._recent.clear()
            return LiveLabel(*place, (), (), found.reason)
        own = dict(zip(found.classes, found.confidences, strict=True))
        self._recent.append(np.array([own[name] for name in classes]))
        mean_K = np.mean(self._recent, axis=0)
        best = np.argsort(-mean_K, kind="stable")[: self._top].tolist()
        return LiveLabel(
            *place, tuple(classes[each] for each in best), tuple(float(mean_K[each]) for each in best)
        )
