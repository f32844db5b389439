"""Clips as arrays, and their shapes: one array, or arrays by name for a recognizer that reads several inputs.

Legend: B clips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ClipShape = tuple[int, ...] | Mapping[str, tuple[int, ...]]
"""Shape of one clip without the batch axis, or one for each named input."""
ClipArrays = NDArray[Any] | dict[str, NDArray[Any]]
"""Clips as a clip input reads them, one or a batch: an array, or one for each named input."""


def stack_arrays(read: Sequence[ClipArrays]) -> ClipArrays:
    """Stack clips, all with the same names, to a batch."""
    first = read[0]
    if isinstance(first, dict):
        return {name: np.stack([each[name] for each in read if isinstance(each, dict)]) for name in first}
    return np.stack([each for each in read if not isinstance(each, dict)])


def shapes_of(shape: ClipShape) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a clip's arrays, in the order of the names."""
    return tuple(shape.values()) if isinstance(shape, Mapping) else (shape,)


def num_values(shape: ClipShape) -> int:
    """Return the number of values of one clip."""
    return sum(math.prod(each) for each in shapes_of(shape))
