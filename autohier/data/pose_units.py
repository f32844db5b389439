"""Units in which a user's own pose files give joints and scores, and their conversion.

Shape letters: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.errors import InputError, nearest

_SCALES: Final = {"meters": 1.0, "centimeters": 0.01, "millimeters": 0.001}
_RANGES: Final = {"pixels": None, "0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0)}
_SWAPPED_SIZE: Final = "swapped-size"
_SWAPPED_AXES: Final = "swapped-axes"
_PERCENT: Final = "percent-scores"
_IMAGE_PREFIX: Final = "image="
UNIT_WORDS: Final = (
    *_RANGES,
    *_SCALES,
    *(_SWAPPED_SIZE, _SWAPPED_AXES, _PERCENT, f"{_IMAGE_PREFIX}WIDTHxHEIGHT"),
)
_UNKNOWN_IMAGE_PX: Final = (1000, 1000)
"""Image of joints that are shares of an image of unknown size."""


@dataclass(frozen=True, slots=True)
class PoseUnits:
    """Units of a source's poses; by default pixels, meters and scores in 0..1, which need no conversion.

    Attributes:
        text: the words that describe the units, sorted; empty for the default.
        joint_range: coordinates of the edges of the image, left or top first; None if they are pixels.
        meters_per_unit: length of a unit in space.
        swaps_size: True if the size of an image is given as width and height, in this order.
        swaps_axes: True if image coordinates are given as row and column, in this order.
        has_percent: True if scores are percentages.
        image_px: width and height of the image of all poses; None if the files or the videos give it.
    """

    text: str = ""
    joint_range: tuple[float, float] | None = None
    meters_per_unit: float = 1.0
    swaps_size: bool = False
    swaps_axes: bool = False
    has_percent: bool = False
    image_px: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> PoseUnits:
        """Parse words separated by commas, e.g. ``0..1,percent-scores``.

        Raises:
            InputError: if a word is unknown, or two contradict each other.
        """
        units = cls()
        words = dict.fromkeys(word for part in text.split(",") if (word := part.strip().lower()))
        for word in words:
            units = replace(units, **_read_word(word))
        for group in (tuple(_RANGES), tuple(_SCALES), (_IMAGE_PREFIX,)):
            if len(several := [word for word in words if word.startswith(group)]) > 1:
                raise InputError("pose units must not contradict each other", got=" and ".join(several))
        return replace(units, text=",".join(sorted(words.keys() - {"pixels", "meters"})))

    def image_size(self, size_px: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the width and height of the image of the poses.

        Args:
            size_px: width and height as the file or the video gives them; None if they do not.
        """
        if self.image_px is not None:
            return self.image_px
        if size_px is None:
            return None if self.joint_range is None else _UNKNOWN_IMAGE_PX
        return size_px[::-1] if self.swaps_size else size_px

    def convert_joints(
        self, places_MTVC: NDArray[np.float32], size_px: tuple[int, int] | None
    ) -> NDArray[np.float32]:
        """Return joints in pixels (C = 2) or meters (C = 3).

        Args:
            places_MTVC: joints as the file gives them, NaN if absent.
            size_px: result of `image_size`.
        """
        if places_MTVC.shape[-1] > 2:
            return (
                places_MTVC if self.meters_per_unit == 1 else places_MTVC * np.float32(self.meters_per_unit)
            )
        if self.swaps_axes:
            places_MTVC = places_MTVC[..., ::-1]
        if self.joint_range is not None and size_px is not None:
            low, high = self.joint_range
            places_MTVC = (places_MTVC - low) / np.float32(high - low) * np.array(size_px, dtype=np.float32)
        return np.ascontiguousarray(places_MTVC)

    def convert_scores(self, scores_MTV: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores in 0..1."""
        return scores_MTV / np.float32(100) if self.has_percent else scores_MTV


NATIVE_UNITS: Final = PoseUnits()


def _read_word(word: str) -> dict[str, Any]:
    """Return the attributes that a word sets."""
    if word in _RANGES:
        return {"joint_range": _RANGES[word]}
    if word in _SCALES:
        return {"meters_per_unit": _SCALES[word]}
    flags = {_SWAPPED_SIZE: "swaps_size", _SWAPPED_AXES: "swaps_axes", _PERCENT: "has_percent"}
    if word in flags:
        return {flags[word]: True}
    size = re.fullmatch(r"image=([1-9]\d{0,5})x([1-9]\d{0,5})", word)
    if size is None:
        raise InputError(f"unknown pose units {word!r}", hint=nearest(word, list(UNIT_WORDS)))
    return {"image_px": (int(size[1]), int(size[2]))}
