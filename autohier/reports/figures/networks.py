"""Networks of finished trials that figures evaluate."""

from __future__ import annotations

from pathlib import Path

from autohier.config.sweep import SweepPlan
from autohier.core.gradient_maps import GradientMaps, gradient_maps
from autohier.core.part_attention import MeanAttention, mean_attention
from autohier.core.recipes.chain import chain_kind
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, MissingDataError
from autohier.machine import usable_cores
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.reports.figures.classes import kept_stage
from autohier.sweep.paths import clip_folder


def open_recorded(row: TrialRow, plan: SweepPlan, clips: ClipStore) -> TrialSetup:
    """Open a trial of a sweep.

    Args:
        row: the trial.
        plan: of its sweep.
        clips: those of the sweep.
    """
    return open_trial(
        plan.space.config(params_of(row), seed=row.seed),
        clips=clips,
        stages=StageStore(Path(plan.stage_folder)),
        callback=CallbackList(),
        num_threads=usable_cores(),
    )


def recorded_gradients(
    records: Records, plan: SweepPlan, trial: TrialRow | None, num_clips: int
) -> GradientMaps | None:
    """Return the gradient maps of a trial; None if there is none.

    Args:
        records: of the sweep.
        plan: of the sweep.
        trial: a complete trial; None for the best one.
        num_clips: maximum number of validation clips.

    Raises:
        MissingDataError: if the clips or the network are missing.
        InputError: if the clips are not those of the sweep.
    """
    opened = _open_kept(records, plan, trial)
    return gradient_maps(*opened, num_clips=num_clips) if opened else None


def recorded_attention(
    records: Records, plan: SweepPlan, trial: TrialRow | None, num_clips: int
) -> MeanAttention | None:
    """Return the mean attention of a trial to each part; None if there is no trial.

    The arguments and errors are those of `recorded_gradients`.

    Raises:
        InputError: also if the network weighs no parts.
    """
    opened = _open_kept(records, plan, trial)
    return mean_attention(*opened, num_clips=num_clips) if opened else None


def _open_kept(
    records: Records, plan: SweepPlan, trial: TrialRow | None
) -> tuple[TrialSetup, StageResult] | None:
    """Open a trial, None for the best one, and find the pass that it kept; None if there is no trial."""
    row = trial or next(iter(records.ranked()), None)
    kept = kept_stage(records, row) if row else None
    if row is None or kept is None:
        return None
    clips = ClipStore.open(clip_folder(plan))
    if clips.fingerprint != plan.clips_fingerprint:
        raise InputError(
            "the prepared clips must be those of the sweep",
            got=f"others in {clip_folder(plan)}",
            hint="name the folder of the prepared datasets with --data",
        )
    opened = open_recorded(row, plan, clips)
    kind = chain_kind(opened.config, row.kept_pass or 0)
    stage = opened.context.store.find(kind, kept.store_keys[0])
    if stage is None:
        raise MissingDataError(f"the network of {row.trial} must be in the stage store")
    return opened, stage
