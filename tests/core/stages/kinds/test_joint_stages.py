"""A trial of the recipe joint: a base for each level, and a joint stage on all of them, frozen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autohier.core.hierarchy import Hierarchy
from autohier.core.recipes.base import StageRequest, run_recipe
from autohier.core.recipes.chain import after_passes, chain_of, open_recipe
from autohier.core.stages.kinds.joint import JOINT
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.stage_key import stage_key, stage_key_content
from autohier.core.stages.store.identity_check import check_identity
from autohier.core.stages.store.listing import list_store
from autohier.core.stages.store.stage_files import read_description
from autohier.core.trial import StoreRunner, TrialOutcome, evaluate_on_test, run_trial
from autohier.data.store.reader import ClipStore
from autohier.errors import StageDamagedError
from support.fakes.fake_stages import FakeRunner, RecordingCallback
from support.sources.tiny_clips import open_tiny_trial, tiny_config

JOINT_SPACE = (
    "recipe=joint",
    "recognizer={name='three-pathway', width=0.125, event_frames=1, set_frames=2, element_frames=2}",
    "recognizer.joint_width=5",
    *("clips.test_sets=1", "pass_1.epochs=1", "pass_2.epochs=1", "pass_2.heads=last", "pruning.epochs=1"),
    *("optimisation.weight_decay=0.01", "optimisation.batch_size=36"),
)
PATHWAYS = ("event", "set", "element")
HUES = (0, 1, 2, 0, 1, 2)


def open_joint(
    clips: ClipStore, stages: Path, *overrides: str, callback: RecordingCallback | None = None, **params: Any
) -> TrialSetup:
    config = tiny_config(*JOINT_SPACE, *overrides, **({"passes": 0} | params))
    return open_tiny_trial(config, clips, stages, callback or RecordingCallback())


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="module")
def outcome(tiny_clips: ClipStore, stages: Path) -> TrialOutcome:
    return run_trial(open_joint(tiny_clips, stages, "hierarchy=given", passes=1))


def weights_of(trial: TrialSetup, stage: Any) -> dict[str, torch.Tensor]:
    return trial.context.store.load_weights(stage.kind, stage.key)


def test_the_joint_stage_starts_from_a_base_for_each_level(outcome: TrialOutcome) -> None:
    element, sets, event = outcome.stages[:3]
    joint, pruned = outcome.chain
    assert [stage.kind.name for stage in outcome.stages] == [
        *("element-base", "set-base", "event-base", "joint", "prune"),
    ]
    assert (element.parent_keys, sets.parent_keys, event.parent_keys) == ((), (), ())
    assert joint.parent_keys == (event.key, sets.key, element.key)
    assert joint.parent_key is None
    assert (pruned.parent_key, pruned.parent_keys) == (joint.key, ())


def test_each_base_is_trained_for_its_own_level(outcome: TrialOutcome) -> None:
    element, sets, event = outcome.stages[:3]
    assert element.hierarchy == Hierarchy.flat(6)
    assert sets.hierarchy.assignments == (HUES,)
    assert event.hierarchy.num_superclasses == (2,)
    assert [len(stage.confusion_KK) for stage in (element, sets, event)] == [6, 3, 2]
    assert outcome.chain[0].hierarchy.assignments == (
        *(event.hierarchy.assignments[0], HUES, tuple(range(6))),
    )
    for stage in (element, sets, event):
        clips = stage.confusion_KK.sum()
        assert [*stage.stack_accuracies] == pytest.approx([np.trace(stage.confusion_KK) / clips])


def test_frozen_bases_are_bit_equal_after_an_epoch(
    outcome: TrialOutcome, tiny_clips: ClipStore, stages: Path
) -> None:
    trial = open_joint(tiny_clips, stages)
    joint = weights_of(trial, outcome.chain[0])
    by_pathway = dict(zip(reversed(PATHWAYS), outcome.stages[:3], strict=True))
    for pathway, base in by_pathway.items():
        own = {
            name.removeprefix("recognizer."): tensor
            for name, tensor in weights_of(trial, base).items()
            if name.startswith("recognizer.")
        }
        assert any("running_mean" in name for name in own)
        for name, tensor in own.items():
            assert joint[f"recognizer.{pathway}.{name}"].equal(tensor), name


def test_the_joint_layer_and_all_heads_are_trained(
    outcome: TrialOutcome, tiny_clips: ClipStore, stages: Path
) -> None:
    trial = open_joint(tiny_clips, stages)
    joint = weights_of(trial, outcome.chain[0])
    initial = trial.context.build(
        trial.base.network, outcome.chain[0].hierarchy, seed=trial.config.seed, heads="last"
    ).state_dict()
    trained = {
        name for name in joint if not joint[name].equal(initial[name]) and not name.startswith("recognizer.")
    }
    layers = ("stack1_level1", "stack1_level2", "stack1")
    assert trained == {f"heads.{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert not joint["recognizer.joint.weight"].equal(initial["recognizer.joint.weight"])


def test_a_pruning_pass_retrains_the_bases_too(
    outcome: TrialOutcome, tiny_clips: ClipStore, stages: Path
) -> None:
    trial = open_joint(tiny_clips, stages)
    joint, pruned = (weights_of(trial, stage) for stage in outcome.chain)
    for pathway in PATHWAYS:
        name = f"recognizer.{pathway}.conv1.weight"
        assert not pruned[name].equal(joint[name])
    assert outcome.chain[1].cost.multiply_adds < outcome.chain[0].cost.multiply_adds


def test_trials_share_the_bases_that_their_settings_leave_alike(
    tiny_clips: ClipStore, tmp_path: Path
) -> None:
    def keys(*overrides: str, **params: Any) -> dict[str, str]:
        trial = open_joint(tiny_clips, tmp_path, *overrides, **params)
        return {stage.kind.name: stage.key for stage in FakeRunner().run_trial(trial).stages}

    def changed(*overrides: str, **params: Any) -> list[str]:
        other = keys(*overrides, **params)
        return [name for name, key in keys().items() if other[name] != key]

    assert changed("recognizer.joint_width=7") == ["joint"]
    assert changed(weight_ratio=0.7) == ["joint"]
    assert changed("pass_2.epochs=2") == ["joint"]
    assert changed("recognizer.event_frames=2") == ["event-base", "joint"]
    assert changed("recognizer.set_frames=1") == ["set-base", "joint"]
    assert changed(superclasses=(2, 4)) == ["set-base", "joint"]
    assert changed("pass_1.epochs=2") == ["element-base", "set-base", "event-base", "joint"]


def test_a_base_has_the_network_and_the_frames_of_its_pathway(tiny_clips: ClipStore, tmp_path: Path) -> None:
    trial = open_joint(tiny_clips, tmp_path, "recognizer.set_network=slowfast", "recognizer.slow_stride=2")
    runner = FakeRunner()
    runner.run_trial(trial)
    bases = [inputs.base for inputs in runner.inputs[:3]]
    assert [base.clips.num_frames for base in bases] == [2, 2, 1]
    assert [base.network.name for base in bases] == [
        *("slowonly-resnet50", "slowfast-resnet50", "slowonly-resnet50"),
    ]
    assert bases[0].network.options == {"width": 0.125, "initialisation": "fan-in", "in_channels": 3}
    assert bases[1].network.options["slow_stride"] == 2


def test_the_key_of_a_joint_stage_holds_all_parents(outcome: TrialOutcome, stages: Path) -> None:
    joint = outcome.chain[0]
    description = read_description(stages / "joint" / joint.key)
    assert description["key_content"]["parents"] == list(joint.parent_keys)
    assert description["parent_keys"] == list(joint.parent_keys)
    assert "parent_keys" not in description["key_content"]["settings"]


def test_the_order_of_parents_is_in_the_key(tiny_clips: ClipStore, tmp_path: Path) -> None:
    runner = FakeRunner()
    joint = runner.run_trial(open_joint(tiny_clips, tmp_path)).chain[0]
    inputs = runner.inputs[3]
    assert stage_key(joint.kind, inputs) == joint.key
    swapped = inputs.model_copy(update={"parent_keys": inputs.parent_keys[::-1]})
    assert stage_key(joint.kind, swapped) != joint.key
    assert stage_key_content(joint.kind, inputs)["parents"] == list(inputs.parents)


def lose(stages: Path, stage: Any) -> None:
    shutil.rmtree(stages / stage.kind.name / stage.key)


def damage(stages: Path, stage: Any) -> None:
    (stages / stage.kind.name / stage.key / "model.safetensors").write_bytes(b"damaged")


@pytest.mark.parametrize("harm", [lose, damage])
def test_lost_and_damaged_bases_are_trained_again(
    harm: Callable[[Path, Any], None],
    outcome: TrialOutcome,
    tiny_clips: ClipStore,
    stages: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(stages, tmp_path / "stages")
    callback = RecordingCallback()
    trial = open_joint(tiny_clips, tmp_path / "stages", "pass_2.epochs=2", callback=callback)
    bases = outcome.stages[:3]
    for base in (bases[0], bases[2]):
        harm(tmp_path / "stages", base)
    joint = StoreRunner(trial)(StageRequest(JOINT, bases, hierarchy=outcome.chain[0].hierarchy))
    assert joint.parent_keys == outcome.chain[0].parent_keys
    assert {event[1] for event in callback.events} == {"joint"}
    for base in bases:
        assert trial.context.store.find(base.kind, base.key) is not None


def test_a_second_trial_reuses_every_stage(
    outcome: TrialOutcome, tiny_clips: ClipStore, stages: Path
) -> None:
    again = run_trial(open_joint(tiny_clips, stages, "hierarchy=given", passes=1))
    assert all(stage.reused for stage in again.stages)
    assert [stage.key for stage in again.stages] == [stage.key for stage in outcome.stages]


def test_the_test_split_reads_the_classes_base_the_joint_stage_and_the_kept_pass(
    outcome: TrialOutcome, tiny_clips: ClipStore, stages: Path, tmp_path: Path
) -> None:
    shutil.copytree(stages, tmp_path / "stages")
    trial = open_joint(tiny_clips, tmp_path / "stages", "hierarchy=given", passes=1)
    kept = replace(outcome, kept_pass=1)
    results = evaluate_on_test(trial, kept)
    labels = ["element base", "joint", "prune 1"]
    assert [label for label, _ in results] == [*labels, *(f"{label}, refit" for label in labels)]
    assert [len(evaluation.stack_accuracies) for _, evaluation in results] == [1, 3, 3, 1, 3, 3]


def test_a_refit_has_the_levels_of_the_kept_pass(
    outcome: TrialOutcome, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    trial = open_joint(tiny_clips, tmp_path).with_all_training_clips()
    kept = outcome.chain[0].hierarchy
    refitted = run_recipe(open_recipe(trial.config, after_passes(0)), StoreRunner(trial, kept))
    assert [stage.hierarchy for stage in refitted] == [kept.level(2), kept.level(1), kept.level(0), kept]
    assert len(chain_of(refitted)) == 1


def test_the_store_knows_a_joint_stage_and_its_refit_as_one_network(
    outcome: TrialOutcome, tiny_clips: ClipStore, stages: Path, tmp_path: Path
) -> None:
    shutil.copytree(stages, tmp_path / "stages")
    trial = open_joint(tiny_clips, tmp_path / "stages").with_all_training_clips()
    runner = StoreRunner(trial, outcome.chain[0].hierarchy)
    refitted = run_recipe(open_recipe(trial.config, after_passes(0)), runner)
    entries = {entry.key: entry.summary for entry in list_store(tmp_path / "stages")}
    assert len(entries) == 5 + 4
    for own, other in zip(outcome.stages[:4], refitted, strict=True):
        summary, of_refit = entries[own.key], entries[other.key]
        assert summary is not None
        assert of_refit is not None
        assert (summary.refit, of_refit.refit) == (False, True)
        assert summary.label == of_refit.label == own.label
        assert summary.inputs_digest == of_refit.inputs_digest


def test_a_trial_without_superclasses_trains_all_bases_for_the_classes(
    tiny_clips: ClipStore, tmp_path: Path
) -> None:
    trial = open_joint(tiny_clips, tmp_path, superclasses=())
    stages = FakeRunner().run_trial(trial).stages
    assert [stage.hierarchy for stage in stages] == [Hierarchy.flat(6)] * 4


def test_a_stage_of_another_target_is_refused(outcome: TrialOutcome, stages: Path) -> None:
    sets = outcome.stages[1]
    description = read_description(stages / sets.kind.name / sets.key)
    check_identity(description, sets.kind, sets.key)
    with pytest.raises(StageDamagedError, match="must have the hierarchy of its inputs"):
        check_identity(description | {"hierarchy": [[*range(6)]]}, sets.kind, sets.key)
    with pytest.raises(StageDamagedError, match="must have the inputs of its key, but got another parent"):
        check_identity(description | {"parent_keys": ["7" * 64]}, sets.kind, sets.key)
