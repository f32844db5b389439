"""Statistics over the poses of a source that reveal wrong units or layouts, and warnings with likely causes.

Shape letters: M persons, T frames, V joints, N joints that are present.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.poses.layout_checks import LayoutFit, measure_fits, warn_layout
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton, present_joints

_MARGIN: Final = 0.02
"""Share of the image's sides beyond which a joint lies outside; estimators place joints slightly outside."""
_OUTSIDE_CLIP: Final = 0.2
"""Share of outside joints from which a clip counts as outside its image."""
_SUSPICIOUS_CLIPS: Final = 0.05
_SUSPICIOUS_JOINTS: Final = 0.02
_SWAP_HELPS: Final = 0.1
"""Share of the outside joints that may remain if sides are swapped back."""
_UNIT_REACH: Final = 2.0
"""Largest coordinate in pixels that counts as a share of the image; a person is larger in pixels."""
_SMALL_REACH: Final = 0.5
_MIN_CLIPS_FOR_REACH: Final = 8
_HIGH_SCORE: Final = 1.5
"""Scores of heatmaps exceed 1 slightly."""
_SUSPICIOUS_SCORES: Final = 0.01
_PERCENTAGES: Final = (20.0, 110.0)
"""Range of the largest score of a source of percentages."""
_BODY_M: Final = (0.3, 5.0)
"""Range of the largest extent of a person."""


@dataclass(frozen=True, slots=True)
class PoseSample:
    """Measures of the poses of one clip. Those of an image are 0 without an image, and vice versa.

    Attributes:
        num_joints: present joints in the image.
        num_outside: those that lie outside the image.
        num_outside_swapped: those that would lie outside if the image's sides were swapped.
        reach_px: largest absolute coordinate, of all but the outermost hundredth of the joints.
        lowest_px: smallest coordinate.
        right_share: largest column as a share of the image's width.
        lower_share: largest row as a share of the image's height.
        is_tall: True if persons are taller than wide in most frames.
        num_scores: scores of present joints.
        num_high_scores: those above 1.5.
        highest_score: largest of them.
        body_m: median over frames and persons of the largest extent in meters; NaN without one.
        fits: fit of the joint layout, and those of other layouts; see `measure_fits`.
    """

    num_joints: int = 0
    num_outside: int = 0
    num_outside_swapped: int = 0
    reach_px: float = 0.0
    lowest_px: float = 0.0
    right_share: float = 0.0
    lower_share: float = 0.0
    is_tall: bool = True
    num_scores: int = 0
    num_high_scores: int = 0
    highest_score: float = 0.0
    body_m: float = float("nan")
    fits: tuple[LayoutFit, ...] = ()


def sample_poses(skeleton: Skeleton, layout: JointLayout) -> PoseSample:
    """Measure the poses of a clip, in the image if the layout is planar and in space otherwise."""
    if not skeleton.num_persons:
        return PoseSample()
    fits = measure_fits(skeleton, layout)
    if not layout.planar:
        is_present_MTV = present_joints(skeleton.joints_MTV3_m, skeleton.scores_MTV)
        return PoseSample(body_m=_median_extent(skeleton.joints_MTV3_m, is_present_MTV), fits=fits)
    is_present_MTV = present_joints(skeleton.pixels_MTV2, skeleton.scores_MTV)
    points_N2 = skeleton.pixels_MTV2[is_present_MTV].astype(np.float64)
    if not len(points_N2):
        return PoseSample()
    size_2 = np.array([skeleton.image_width_px, skeleton.image_height_px], dtype=np.float64)
    scores_N = np.zeros(0) if skeleton.scores_MTV is None else skeleton.scores_MTV[is_present_MTV]
    return PoseSample(
        num_joints=len(points_N2),
        num_outside=_count_outside(points_N2, size_2),
        num_outside_swapped=_count_outside(points_N2, size_2[::-1]),
        reach_px=float(np.quantile(np.abs(points_N2).max(axis=1), 0.99)),
        lowest_px=float(points_N2.min()),
        right_share=float(points_N2[:, 0].max() / max(size_2[0], 1)),
        lower_share=float(points_N2[:, 1].max() / max(size_2[1], 1)),
        is_tall=_is_tall(skeleton.pixels_MTV2, is_present_MTV),
        num_scores=len(scores_N),
        num_high_scores=int(np.count_nonzero(scores_N > _HIGH_SCORE)),
        highest_score=float(scores_N.max(initial=0)),
        fits=fits,
    )


def warn_poses(samples: Sequence[PoseSample], *, has_video: bool) -> Iterator[DatasetWarning]:
    """Yield warnings about units and joint layouts that the poses of a source most likely have.

    Args:
        samples: measures of its clips.
        has_video: True if the size of the image is that of a video, unless the pose file gives another.
    """
    in_image = [sample for sample in samples if sample.num_joints]
    shares = [sample for sample in in_image if _is_share(sample)]
    if in_image:
        yield from _warn_scores(in_image)
    if shares and len(shares) >= _SUSPICIOUS_CLIPS * len(in_image):
        yield _warn_shares(shares, len(in_image))
        # Shares of a width and of a height distort bones; their layouts are compared once they are pixels.
        samples = [sample for sample in samples if not _is_share(sample)]
        in_image = [sample for sample in in_image if not _is_share(sample)]
    if in_image:
        yield from _warn_outside(in_image, has_video=has_video)
    yield from _warn_lengths(samples)
    yield from warn_layout([sample.fits for sample in samples])


def _is_share(sample: PoseSample) -> bool:
    return sample.num_joints > 0 and sample.reach_px <= _UNIT_REACH


def _warn_shares(shares: Sequence[PoseSample], num_clips: int) -> DatasetWarning:
    is_centered = sum(sample.lowest_px < -_MARGIN for sample in shares) * 2 > len(shares)
    unit_range = "-1..1" if is_centered else "0..1"
    text = (
        f"the joints of {len(shares):,} of {num_clips:,} clips look normalized: they lie in {unit_range}, "
        "but should be in pixels"
    )
    if 2 * len(shares) > num_clips:
        return DatasetWarning(text, f"add --pose-units {unit_range}, which converts them")
    return DatasetWarning(
        f"{text}, like those of the other clips",
        "write all joints in pixels; --pose-units would convert those of all clips",
    )


def _warn_outside(samples: Sequence[PoseSample], *, has_video: bool) -> Iterator[DatasetWarning]:
    num_joints = sum(sample.num_joints for sample in samples)
    num_outside = sum(sample.num_outside for sample in samples)
    num_swapped = sum(sample.num_outside_swapped for sample in samples)
    outside = [sample for sample in samples if sample.num_outside > _OUTSIDE_CLIP * sample.num_joints]
    if num_outside > _SUSPICIOUS_JOINTS * num_joints and num_swapped < _SWAP_HELPS * num_outside:
        yield _warn_swapped(samples, num_outside / num_joints, has_video=has_video)
    elif outside and len(outside) >= _SUSPICIOUS_CLIPS * len(samples):
        right, lower = (
            max(getattr(sample, name) for sample in outside) for name in ("right_share", "lower_share")
        )
        yield DatasetWarning(
            f"joints of {len(outside):,} of {len(samples):,} clips lie outside their image, up to "
            f"{right:.1f} times its width and {lower:.1f} times its height: they were probably found in an "
            "image of another size",
            f"give that size: {_size_hint(has_video=has_video)}",
        )
    elif len(samples) >= _MIN_CLIPS_FOR_REACH:
        yield from _warn_corner(samples, has_video=has_video)


def _warn_swapped(samples: Sequence[PoseSample], share: float, *, has_video: bool) -> DatasetWarning:
    is_tall = 2 * sum(sample.is_tall for sample in samples) >= len(samples)
    text = f"{share:.0%} of the joints lie outside their image, but inside one of swapped width and height"
    if not is_tall:
        return DatasetWarning(
            f"{text}, and persons lie on their side: joints are probably (row, column)",
            "add --pose-units swapped-axes, which converts them",
        )
    if has_video:
        return DatasetWarning(
            f"{text}: they were probably found in rotated copies of the videos, or img_shape is swapped",
            "find the poses in these videos, or add --pose-units swapped-size if the files hold img_shape",
        )
    return DatasetWarning(
        f"{text}: img_shape is probably (width, height) instead of (height, width)",
        "add --pose-units swapped-size, which converts it",
    )


def _warn_corner(samples: Sequence[PoseSample], *, has_video: bool) -> Iterator[DatasetWarning]:
    right, lower = (
        max(getattr(sample, name) for sample in samples) for name in ("right_share", "lower_share")
    )
    if max(right, lower) < _SMALL_REACH:
        yield DatasetWarning(
            f"all joints lie in the upper left {right:.0%} x {lower:.0%} of their image: they were probably "
            "found in a smaller one",
            f"give its size: {_size_hint(has_video=has_video)}",
        )


def _warn_scores(samples: Sequence[PoseSample]) -> Iterator[DatasetWarning]:
    num_scores = sum(sample.num_scores for sample in samples)
    num_high = sum(sample.num_high_scores for sample in samples)
    if num_high <= _SUSPICIOUS_SCORES * num_scores:
        return
    highest = max(sample.highest_score for sample in samples)
    text = f"scores reach {highest:g}, but should be in 0..1"
    if _PERCENTAGES[0] <= highest <= _PERCENTAGES[1]:
        yield DatasetWarning(
            f"{text}: they are probably percentages",
            "add --pose-units percent-scores, which converts them, or divide them by their largest value",
        )
    else:
        yield DatasetWarning(
            text, "bring them to 0..1, e.g. divide them by their largest value, or leave out keypoint_score"
        )


def _warn_lengths(samples: Sequence[PoseSample]) -> Iterator[DatasetWarning]:
    bodies_m = np.array([sample.body_m for sample in samples if np.isfinite(sample.body_m)])
    is_other = (bodies_m < _BODY_M[0]) | (bodies_m > _BODY_M[1])
    if not is_other.any() or is_other.sum() < _SUSPICIOUS_CLIPS * len(bodies_m):
        return
    if 2 * is_other.sum() <= len(bodies_m):
        yield DatasetWarning(
            f"persons extend over {np.median(bodies_m[is_other]):.3g} m in {is_other.sum():,} of "
            f"{len(bodies_m):,} clips, and over {np.median(bodies_m[~is_other]):.3g} m in the others: units "
            "are probably mixed",
            "write the joints of all clips in meters",
        )
        return
    body_m = float(np.median(bodies_m))
    fitting = {
        "millimeters": body_m * 0.001,
        "centimeters": body_m * 0.01,
    }
    unit = next((unit for unit, meters in fitting.items() if _BODY_M[0] <= meters <= _BODY_M[1]), None)
    yield DatasetWarning(
        f"half of the persons extend over more than {body_m:.3g} m: joints are probably "
        + (f"in {unit}" if unit else "not in meters"),
        f"add --pose-units {unit}, which converts them" if unit else "write them in meters",
    )


def _size_hint(*, has_video: bool) -> str:
    field = "img_shape = (height, width) in the .npz files" if has_video else "img_shape of each annotation"
    return f"{field}, or --pose-units image=WIDTHxHEIGHT if it is the same in all clips"


def _count_outside(points_N2: NDArray[np.float64], size_2: NDArray[np.float64]) -> int:
    margin_2 = _MARGIN * size_2
    return int(((points_N2 < -margin_2) | (points_N2 > size_2 + margin_2)).any(axis=1).sum())


def _is_tall(places_MTV2: NDArray[np.float32], is_present_MTV: NDArray[np.bool_]) -> bool:
    extents_N2 = _extents(places_MTV2, is_present_MTV)
    return bool(2 * np.count_nonzero(extents_N2[:, 1] > extents_N2[:, 0]) >= len(extents_N2))


def _median_extent(places_MTV3: NDArray[np.float32], is_present_MTV: NDArray[np.bool_]) -> float:
    extents_N3 = _extents(places_MTV3, is_present_MTV)
    return float(np.median(extents_N3.max(axis=1))) if len(extents_N3) else float("nan")


def _extents(places_MTVC: NDArray[np.float32], is_present_MTV: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the extent along each axis of every person in every frame that shows it."""
    mask_MTV1 = is_present_MTV[..., None]
    low_MTC = np.where(mask_MTV1, places_MTVC, np.inf).min(axis=2)
    high_MTC = np.where(mask_MTV1, places_MTVC, -np.inf).max(axis=2)
    extents_NC: NDArray[np.float64] = (high_MTC - low_MTC)[is_present_MTV.any(axis=2)].astype(np.float64)
    return extents_NC
