"""A trial of the recipe attention: bases of the members, the attention on all of them, a fixed LSTM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from autohier.core.recipes.base import StageRequest
from autohier.core.recipes.chain import stage_kinds
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.stage_key import stage_key
from autohier.core.trial import StoreRunner, TrialOutcome, evaluate_on_test, run_trial
from autohier.data.store.reader import ClipStore
from autohier.models import build_recognizer
from support.fakes.fake_stages import FakeRunner, RecordingCallback
from support.sources.tiny_clips import open_tiny_trial, tiny_config

SPACE = (
    "recipe=attention",
    "clips={input='parts+skeletons', num_frames=2, resize_px=16, crop_px=16, num_skeleton_frames=3}",
    *("clips.num_persons=1", "clips.test_sets=1"),
    "recognizer={name='part-attention-i3d', width=0.03, pose_width=4, attention_penalty=0.01}",
    *("pass_1.epochs=1", "pass_1.attention_epochs=2", "pass_2.epochs=1", "pruning.epochs=1"),
    *("optimisation.batch_size=36", "optimisation.learning_rate=1e-3"),
)
MEMBERS = ("body", "left_hand", "right_hand", "pose")


def open_attention(clips: ClipStore, stages: Path, *overrides: str, **params: Any) -> TrialSetup:
    config = tiny_config(*SPACE, *overrides, **({"passes": 1} | params))
    return open_tiny_trial(config, clips, stages, RecordingCallback())


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="module")
def trial(tiny_clips: ClipStore, stages: Path) -> TrialSetup:
    return open_attention(tiny_clips, stages)


@pytest.fixture(scope="module")
def outcome(trial: TrialSetup) -> TrialOutcome:
    return run_trial(trial)


def part_of(trial: TrialSetup, stage: Any, member: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a member in a stage."""
    prefix = f"recognizer.{member}."
    stored = trial.context.store.load_weights(stage.kind, stage.key)
    return {name.removeprefix(prefix): stored[name] for name in stored if name.startswith(prefix)}


@pytest.mark.slow
def test_stages_start_from_one_another(outcome: TrialOutcome) -> None:
    *bases, attention = outcome.stages[:5]
    fixed, pruned = outcome.chain
    assert [stage.label for stage in outcome.stages] == [
        *("body base", "left hand base", "right hand base", "pose base"),
        *("attention", "fixed pose", "prune 1"),
    ]
    assert attention.parent_keys == tuple(stage.key for stage in bases)
    assert (fixed.parent_key, pruned.parent_key) == (attention.key, fixed.key)
    assert [len(stage.epochs) for stage in outcome.stages] == [1, 1, 1, 1, 2, 1, 1]
    assert [len(stage.stack_accuracies) for stage in outcome.stages] == [1] * 5 + [3] * 2


@pytest.mark.slow
def test_a_base_holds_its_member_alone(trial: TrialSetup, outcome: TrialOutcome) -> None:
    for stage, member in zip(outcome.stages, MEMBERS, strict=False):
        weights = trial.context.store.load_weights(stage.kind, stage.key)
        assert {name.split(".")[1] for name in weights if name.startswith("recognizer.")} == {member}


@pytest.mark.slow
def test_the_attention_stage_starts_from_the_bases(trial: TrialSetup, outcome: TrialOutcome) -> None:
    kinds = stage_kinds(trial.config, 0)
    ancestors = outcome.stages[:4]
    hierarchy = kinds[4].hierarchy(trial.config, ancestors, {})
    job = kinds[4].plan(trial.config, trial.base, ancestors, hierarchy, ()).prepare(trial.context)
    for stage, member in zip(ancestors, MEMBERS, strict=True):
        own = job.network.recognizer.get_submodule(member).state_dict()
        base = part_of(trial, stage, member)
        assert all(own[name].equal(base[name]) for name in own)
        assert len({member, *own}) == len(own) + 1


@pytest.mark.slow
def test_the_lstm_is_fixed_in_pass_2_alone(trial: TrialSetup, outcome: TrialOutcome) -> None:
    base, attention, (fixed, pruned) = outcome.stages[3], outcome.stages[4], outcome.chain
    lstm = [part_of(trial, stage, "pose") for stage in (base, attention, fixed, pruned)]
    name = "layers.0.read.weight"
    assert not lstm[0][name].equal(lstm[1][name])
    assert all(lstm[1][name].equal(lstm[2][name]) for name in lstm[1])
    assert not lstm[2][name].equal(lstm[3][name])
    body = [part_of(trial, stage, "body")["conv1a.conv.weight"] for stage in (attention, fixed)]
    assert not body[0].equal(body[1])


@pytest.mark.slow
def test_epochs_record_the_penalty_of_attention(outcome: TrialOutcome) -> None:
    for stage in outcome.stages[:4]:
        assert stage.epochs[0].auxiliary_loss == 0
    # Nearly equal attention: 0.01 times 3 (1 - 1/3)^2.
    attention = outcome.stages[4].epochs[0]
    assert attention.auxiliary_loss == pytest.approx(0.01 * 4 / 3, rel=0.05)
    assert attention.loss == pytest.approx(attention.stack_losses[0] + attention.auxiliary_loss, rel=1e-5)


@pytest.mark.slow
def test_all_stages_are_reused_and_evaluated(trial: TrialSetup, outcome: TrialOutcome) -> None:
    assert all(stage.reused for stage in run_trial(trial).stages)
    assert {name for name, _ in evaluate_on_test(trial, outcome)} >= {"body base", "fixed pose"}


def test_bases_are_shared_by_networks_of_other_attention(tiny_clips: ClipStore, stages: Path) -> None:
    def keys(*overrides: str) -> list[str]:
        trial, runner, found = open_attention(tiny_clips, stages, *overrides), FakeRunner(), []
        ancestors: tuple[Any, ...] = ()
        for kind in stage_kinds(trial.config, 0):
            hierarchy = kind.hierarchy(trial.config, ancestors, {})
            own = kind.plan(trial.config, trial.of_kind(kind).base, ancestors, hierarchy, ())
            found.append(stage_key(kind, own.inputs))
            ancestors = (*ancestors, runner(StageRequest(kind, ancestors), trial=trial))
        return found

    first = keys()
    for override, num_equal in (
        ("recognizer.aggregation=concat", [0, 1, 2, 3]),
        ("recognizer.attention_penalty=0.1", [0, 1, 2, 3]),
        ("recognizer.pose_width=8", [0, 1, 2]),
        ("recognizer.width=0.1", [3]),
    ):
        other = keys(override)
        assert [index for index in range(4) if other[index] == first[index]] == num_equal, override
        assert other[4] != first[4]


def test_a_base_starts_from_weights_of_its_own(tiny_clips: ClipStore, tmp_path: Path) -> None:
    i3d = build_recognizer("i3d", num_classes=4, width=0.03, seed=1)
    torch.save(i3d.state_dict(), tmp_path / "i3d.pth")
    trial = open_attention(tiny_clips, tmp_path, f"recognizer.start_body={tmp_path / 'i3d.pth'}")
    body, left = stage_kinds(trial.config, 0)[:2]
    for kind, starts in ((body, True), (left, False)):
        own = trial.of_kind(kind)
        assert (own.base.network.start_sha256 is not None) == starts
        planned = kind.plan(trial.config, own.base, (), kind.hierarchy(trial.config, (), {}), ())
        network: Any = planned.prepare(own.context).network.recognizer
        (first,) = (own for name, own in network.named_parameters() if name.endswith("conv1a.conv.weight"))
        assert first.equal(i3d.recognizer.get_parameter("conv1a.conv.weight")) == starts
    assert StoreRunner(trial)(StageRequest(body)).epochs
