"""The contract of stage kinds, checked on every registered kind and on the example package's."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autohier.core.recipes.base import StageRequest
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.hac import PASS_1
from autohier.core.stages.kinds.registry import STAGE_KINDS, find_stage_kind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.stage_key import stage_key
from autohier.core.trial import StoreRunner
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.extensions import Extension
from support.fakes.fake_packages import installed_example, run_with_example
from support.fakes.fake_stages import FakeRunner, RecordingCallback
from support.sources.tiny_clips import open_tiny_trial, tiny_config

NAMES = [*STAGE_KINDS.names, "heads-only"]
every_kind = pytest.mark.parametrize("name", NAMES)
EPOCHS = ("pass_1.epochs=1", "pass_1.attention_epochs=1", "pass_2.epochs=1", "pruning.epochs=1")
OF_JOINT = ("element-base", "set-base", "event-base", "joint")
JOINT = (
    "recipe=joint",
    "recognizer={name='three-pathway', width=0.125, event_frames=1, set_frames=2, element_frames=2}",
    *("recognizer.joint_width=5", "pass_2.heads=last", "optimisation.batch_size=36"),
)
OF_ATTENTION = ("body-base", "left-hand-base", "right-hand-base", "pose-base", "attention", "fixed-pose")
ATTENTION = (
    "recipe=attention",
    "clips={input='parts+skeletons', num_frames=2, resize_px=16, crop_px=16, num_skeleton_frames=4}",
    *("clips.num_persons=1", "clips.test_sets=1", "optimisation.batch_size=36"),
    "recognizer={name='part-attention-i3d', width=0.03, pose_width=4}",
)


def earlier_kinds(kind: StageKind) -> tuple[StageKind, ...]:
    """Return the kinds of the stages before one of a kind in its trial."""
    own = next((each for each in (OF_JOINT, OF_ATTENTION) if kind.name in each), ("pass-1", "pass-2"))
    kinds = tuple(map(find_stage_kind, own))
    if kind in kinds:
        return kinds[: kinds.index(kind)]
    return kinds if kind.is_pruning else (PASS_1,)


def request_of(kind: StageKind, answer: Callable[[StageRequest[StageResult]], StageResult]) -> Any:
    """Return a request for a stage of a kind, with the ancestors that the kind needs."""
    ancestors: tuple[StageResult, ...] = ()
    for earlier in earlier_kinds(kind):
        ancestors = (*ancestors, answer(StageRequest(earlier, ancestors)))
    return StageRequest(kind, ancestors, pass_index=int(kind.is_pruning))


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, which offers "heads-only"."""
    with installed_example("autohier-stage-kind", tmp_path_factory.mktemp("example")):
        yield


@pytest.fixture
def kind(name: str) -> StageKind:
    return find_stage_kind(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.fixture
def callback() -> RecordingCallback:
    return RecordingCallback()


@pytest.fixture
def trial(tiny_clips: ClipStore, folder: Path, callback: RecordingCallback, name: str) -> TrialSetup:
    own = JOINT if name in OF_JOINT else ATTENTION if name in OF_ATTENTION else ()
    return open_tiny_trial(tiny_config(*EPOCHS, *own), tiny_clips, folder, callback)


@every_kind
def test_its_name_is_a_folder_name_and_its_version_a_number(kind: StageKind) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.name)
    assert kind.name not in ("partial", "quarantine")
    assert kind.version >= 1


@every_kind
def test_instances_are_equal_and_may_be_pickled(kind: StageKind) -> None:
    again = pickle.loads(pickle.dumps(kind))
    assert (again, hash(again)) == (kind, hash(kind)) == (type(kind)(), hash(type(kind)()))
    assert [other for other in map(find_stage_kind, NAMES) if other == kind] == [kind]


@every_kind
def test_labels_name_the_pass(kind: StageKind) -> None:
    labels = [kind.label(index) for index in (1, 2)]
    assert all(labels)
    assert len(set(labels)) == (2 if kind.is_pruning else 1)


@every_kind
def test_its_sampled_values_are_hashable_and_repeatable(kind: StageKind) -> None:
    params = tiny_config(*EPOCHS).params
    assert {kind.sampled(params): 1}[kind.sampled(params.model_copy())] == 1
    assert kind.epochs(tiny_config(*EPOCHS)) == 1


@every_kind
def test_its_inputs_make_a_key_that_depends_on_config_data_and_parent(
    kind: StageKind, trial: TrialSetup
) -> None:
    request = request_of(kind, partial(FakeRunner(), trial=trial))
    hierarchy = kind.hierarchy(trial.config, request.ancestors, {})
    assert len(hierarchy.assignments) == (1 if kind.is_flat else 3)

    own = trial.of_kind(kind).base

    def key(**changes: object) -> str:
        base = own.model_copy(update=changes)
        inputs = kind.plan(trial.config, base, request.ancestors, hierarchy, ()).inputs
        assert inputs.base == base
        assert inputs.parent_key in (None, *(stage.key for stage in request.ancestors[-1:]))
        assert {*inputs.parents} <= {stage.key for stage in request.ancestors}
        json.dumps(inputs.model_dump(mode="json"), allow_nan=False)
        return stage_key(kind, inputs)

    assert key() == key()
    assert len({key(), key(seed=1), key(data="e" * 64), key(all_training_clips=True)}) == 4
    others = [other for other in map(find_stage_kind, NAMES) if other != kind]
    inputs = kind.plan(trial.config, own, request.ancestors, hierarchy, ()).inputs
    assert key() not in {stage_key(other, inputs) for other in others}


@every_kind
def test_a_stage_is_trained_once_and_then_reused(
    kind: StageKind, trial: TrialSetup, callback: RecordingCallback
) -> None:
    runner = StoreRunner(trial)
    request = request_of(kind, runner)
    first = runner(request)
    callback.events.clear()
    second = runner(request)
    assert second.reused
    assert (second.kind, second.key, second.pass_index) == (kind, first.key, request.pass_index)
    assert second.stack_accuracies == first.stack_accuracies
    assert [event[0] for event in callback.events] == ["started", "epoch", "finished"]
    assert (trial.context.store.folder / kind.name / first.key / "stage.json").is_file()


@pytest.mark.parametrize("name", ["heads-only"])
def test_the_example_trains_heads_only(trial: TrialSetup) -> None:
    runner, store = StoreRunner(trial), trial.context.store
    pass_1 = runner(StageRequest(PASS_1))
    heads = runner(StageRequest(find_stage_kind("heads-only"), (pass_1,)))
    before, after = (store.load_weights(stage.kind, stage.key) for stage in (pass_1, heads))
    frozen = [name for name in before if name.startswith("recognizer.")]
    assert any("running_mean" in name for name in frozen)
    assert all(before[name].equal(after[name]) for name in frozen)


def test_an_unknown_kind_is_an_input_error_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"^unknown stage kind 'pass1': did you mean 'pass-1'"):
        find_stage_kind("pass1")


def test_a_builder_must_make_a_kind_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGE_KINDS._own, "wrong", Extension("autohier.core.stages.kinds.hac:Pass1"))
    with pytest.raises(InputError, match=r"^the builder of stage kind 'wrong' must be a StageKind of that"):
        find_stage_kind("wrong")


def test_finding_a_kind_of_a_package_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from autohier.core.stages.kinds.registry import STAGE_KINDS\n"
        "assert STAGE_KINDS.find('heads-only')\n"
        "print(STAGE_KINDS.source('heads-only'), 'torch' in sys.modules)"
    )
    printed = run_with_example("autohier-stage-kind", tmp_path / "site", "-c", code)
    assert printed == "Source(package='autohier-heads-only', version='0.1.0') False\n"
