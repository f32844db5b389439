"""Check that a plan fits its clips, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.checks.space_warnings import space_warnings
from autohier.core.stages.setup.given_superclasses import require_samplable_level
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial, resolve_protocol
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.splits import num_shared_test_clips
from autohier.data.store.reader import ClipStore
from autohier.errors import error_about
from autohier.machine import machine_share
from autohier.sweep.paths import check_same_clips, check_same_weights, clip_folder


def check_plan(plan: SweepPlan, say: Callable[[str], None] = lambda _: None) -> SweepPlan:
    """Check that a plan fits its clips, before anything is computed.

    Args:
        plan: of the sweep.
        say: called with a line that says what ``auto`` validation became, and why, with warnings, and with
            what networks start from.

    Returns:
        The plan with the fingerprint of the clips, and with the validation that ``auto`` becomes for them.

    Raises:
        MissingDataError: if the dataset is not prepared.
        InputError: if search space and clips do not fit together.
    """
    trials: dict[str, TrialSetup] = {}
    for network, flat in plan.space.flat_params_by_network().items():
        with error_about(network):
            trials[network] = trial = open_flat(plan, flat)
    clips = trial.context.clips
    resolved = resolve_protocol(plan.space.protocol, clips)
    if resolved.reason:
        say(f"validation: {resolved.protocol.validation}, because {resolved.reason}")
    if left_out := trial.describe_left_out():
        say(left_out)
    for warning in space_warnings(
        plan.space,
        clips.manifest,
        clips=clips,
        num_training=trial.num_training,
        num_validation=trial.num_validation,
    ):
        say(warning)
    # Machines of a cluster may have more memory than this one.
    memory_bytes = None if plan.ray_address else machine_share().memory_bytes
    for network, each in trials.items():
        with error_about(network):
            each.check_network(plan.space.search.levels, memory_bytes=memory_bytes)
            if start := each.describe_start():
                say(f"{network}: {start}" if network else start)
    space = plan.space.model_copy(update={"protocol": resolved.protocol})
    require_samplable_level(plan.space, clips.manifest.levels)
    check_same_clips(clips, plan.clips_fingerprint)
    networks = {name: each.base.network for name, each in trials.items()}
    weights = {name: each.weights_sha256 or each.start_sha256 for name, each in networks.items()}
    weights_sha256 = {name: sha256 for name, sha256 in weights.items() if sha256 is not None}
    check_same_weights(plan.weights_sha256, weights_sha256)
    num_shared = num_shared_test_clips(clips.clips, trial.data_loader.split)
    return plan.model_copy(
        update={
            "space": space,
            "clips_fingerprint": clips.fingerprint,
            "weights_sha256": weights_sha256,
            "num_shared_test_clips": num_shared,
            "num_left_out_clips": trial.num_left_out,
        }
    )


def open_flat(plan: SweepPlan, flat: Hyperparameters) -> TrialSetup:
    """Set up pass 1 of a plan, on the CPU."""
    return open_trial(
        plan.space.config(flat, seed=plan.seed),
        clips=ClipStore.open(clip_folder(plan)),
        stages=StageStore(Path(plan.stage_folder)),
        callback=CallbackList(),
        device="cpu",
    )
