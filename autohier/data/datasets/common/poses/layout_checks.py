"""Check of poses against their joint layout: bones are short, and their lengths hardly change.

The bones of a layout are compared with the tree over the same joints that is shortest, and with the one whose
lengths vary least. A wrong order of joints makes bones run across the body, so both ratios rise from about
1.2 to 3, measured on clips of Kinect and of pose estimators. If only a few joints are wrong, as between the
orders of Kinect and of UTD-MHAD, another layout of as many joints fits better. Swapped sides of the body are
not recognized.

Shape letters: T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import DatasetWarning
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import LAYOUTS, Skeleton, present_joints
from autohier.data.transforms.sampling import evenly_spaced

_MIN_CLIPS: Final = 4
"""Clips from which on their median means something."""
_MAX_FRAMES: Final = 32
_MIN_FRAMES_TO_VARY: Final = 8
_MAX_LENGTH_RATIO: Final = 1.9
_MAX_VARIATION_RATIO: Final = 2.0
_CLEARLY: Final = 1.2
"""Ratio of lengths by which another layout fits clearly better."""
_SHARE_OF_SIZE: Final = 1e-3
"""Length, as a share of the body, that is added to every distance, so that rigid bodies and equal positions
have a ratio."""


@dataclass(frozen=True, slots=True)
class LayoutFit:
    """Ratios of the bones of a layout to those of the best tree over the same joints; 1 is a perfect fit.

    Attributes:
        layout: name of the layout.
        length_ratio: ratio of the total lengths.
        variation_ratio: ratio of the total standard deviations of lengths; NaN in a short clip.
    """

    layout: str
    length_ratio: float
    variation_ratio: float

    @property
    def is_good(self) -> bool:
        """True if no ratio is suspicious."""
        return self.length_ratio <= _MAX_LENGTH_RATIO and not self.variation_ratio > _MAX_VARIATION_RATIO

    def is_clearly_better(self, other: LayoutFit) -> bool:
        """Return True if joints are more likely in this layout than in the other."""
        return self.is_good and self.length_ratio * _CLEARLY < other.length_ratio


def measure_fits(skeleton: Skeleton, layout: JointLayout) -> tuple[LayoutFit, ...]:
    """Return the fit of a layout to the first person of a clip, and those of shipped layouts of equal shape.

    Empty if no frame shows the whole person.
    """
    body_MTVC = skeleton.pixels_MTV2 if layout.planar else skeleton.joints_MTV3_m
    scores_MTV = skeleton.scores_MTV
    is_whole_T = present_joints(body_MTVC, scores_MTV)[0].all(axis=1)
    body_TVC = body_MTVC[0, is_whole_T].astype(np.float64)
    if not len(body_TVC):
        return ()
    body_TVC = body_TVC[list(evenly_spaced(len(body_TVC), _MAX_FRAMES))]
    size = float(np.median(np.ptp(body_TVC, axis=1).max(axis=1)))
    lengths_TVV = np.linalg.norm(body_TVC[:, :, None] - body_TVC[:, None], axis=-1)
    measures = [lengths_TVV.mean(axis=0)]
    if len(body_TVC) >= _MIN_FRAMES_TO_VARY:
        measures.append(lengths_TVV.std(axis=0))
    measures = [measure_VV + _SHARE_OF_SIZE * size for measure_VV in measures]
    best = [_smallest_tree(measure_VV) for measure_VV in measures]
    if not all(best):
        return ()
    same_shape = (
        other
        for other in LAYOUTS.values()
        if (other.num_joints, other.planar, other.name != layout.name)
        == (layout.num_joints, layout.planar, True)
    )
    fits = []
    for candidate in (layout, *same_shape):
        children, parents = np.array(candidate.edges).T
        ratios = [
            float(measure_VV[children, parents].sum()) / tree
            for measure_VV, tree in zip(measures, best, strict=True)
        ]
        fits.append(LayoutFit(candidate.name, *(ratios if len(ratios) == 2 else (ratios[0], float("nan")))))
    return tuple(fits)


def warn_layout(fits: Sequence[tuple[LayoutFit, ...]]) -> Iterator[DatasetWarning]:
    """Yield a warning if the joints of a source are most likely in another order than that of their layout.

    Args:
        fits: results of `measure_fits` for its clips.
    """
    measured = [list(of_clip) for of_clip in fits if of_clip]
    if len(measured) < _MIN_CLIPS:
        return
    own, *others = (_median(of_layout) for of_layout in zip(*measured, strict=True))
    better = [fit for fit in others if fit.is_clearly_better(own)]
    if own.is_good and not better:
        return
    fitting = min(better, key=lambda fit: fit.length_ratio, default=None)
    variation = "" if np.isnan(own.variation_ratio) else f" and vary {own.variation_ratio:.1f} times as much"
    yield DatasetWarning(
        f"bones of joint layout {own.layout} are {own.length_ratio:.1f} times as long{variation} as those of "
        "the best tree over the joints: the joints are probably in another order"
        + (f", that of {fitting.layout}" if fitting else ""),
        f"add --layout {fitting.layout}"
        if fitting
        else "state the layout with --layout, by its name or as a TOML file that declares it",
    )


def _median(fits: Sequence[LayoutFit]) -> LayoutFit:
    """Return the median fit of one layout over clips."""
    variations = [fit.variation_ratio for fit in fits if not np.isnan(fit.variation_ratio)]
    return LayoutFit(
        fits[0].layout,
        float(np.median([fit.length_ratio for fit in fits])),
        float(np.median(variations)) if variations else float("nan"),
    )


def _smallest_tree(weights_VV: NDArray[np.float64]) -> float:
    """Return the total weight of the minimum spanning tree over all joints (Prim's algorithm)."""
    outside = np.ones(len(weights_VV), dtype=np.bool_)
    outside[0] = False
    nearest_V = weights_VV[0].copy()
    total = 0.0
    while outside.any():
        joint = int(np.where(outside, nearest_V, np.inf).argmin())
        total += float(nearest_V[joint])
        outside[joint] = False
        nearest_V = np.minimum(nearest_V, weights_VV[joint])
    return total
