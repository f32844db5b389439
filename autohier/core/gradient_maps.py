"""Gradient maps of a finished trial: which places of a clip each head learns from (HAC, figure 5)."""

from __future__ import annotations

from dataclasses import dataclass

from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.gradients import HeadGradients, head_gradients
from autohier.core.validation_sample import sample_validation


@dataclass(frozen=True, slots=True)
class GradientMaps:
    """Maps of every head of a network over some validation clips."""

    num_clips: int
    num_superclasses: tuple[int, ...]
    """Number of superclasses of each level; the last are the classes."""
    heads: tuple[HeadGradients, ...]
    reads_joints: bool
    """True if maps of two axes are over frames and joints instead of rows and columns of pixels."""
    joint_names: tuple[str, ...]
    """Names of the joints; empty if the network reads none."""

    def axes_of(self, head: HeadGradients) -> tuple[str, ...]:
        """Return the names of a map's axes, e.g. ("time", "joint") or ("time", "row", "column")."""
        planar = ("time", "joint") if self.reads_joints else ("row", "column")
        return {1: ("time",), 2: planar, 3: ("time", "row", "column")}[head.means.ndim]


def gradient_maps(trial: TrialSetup, kept: StageResult, *, num_clips: int) -> GradientMaps:
    """Return the gradient maps of a finished trial over validation clips, evenly chosen.

    See `head_gradients` for the definition and the cost: for L heads about that of evaluating the clips
    1 + 2 L times, with one set of frames a clip, in float32. See `sample_validation` for the clips.

    Args:
        trial: the finished trial.
        kept: a pass of its chain; of a trial with folds, that of all or of the first.
        num_clips: maximum number of clips.

    Raises:
        InputError: see `head_gradients`.
        StageDamagedError: if the weights of the pass are missing or damaged.
    """
    sample = sample_validation(trial, kept, num_clips=num_clips)
    layout = trial.context.clips.manifest.layout
    reads_joints = "skeletons" in trial.config.clips.input
    return GradientMaps(
        num_clips=sample.num_clips,
        num_superclasses=sample.stage.hierarchy.num_superclasses,
        heads=tuple(
            head_gradients(
                sample.network,
                sample.loader.evaluation_set("validation", 0, 1),
                sample.stage.hierarchy.assignments,
            )
        ),
        reads_joints=reads_joints,
        joint_names=layout.joint_names if reads_joints else (),
    )
