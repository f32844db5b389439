"""The contract that every kind of stage keeps: computed once, then found, with the same events and bits.

It holds for recognizers of every form of clips.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import OVERRIDES, open_tiny_trial, tiny_config

STAGES = ("pass 1", "pass 2", "prune 1")
EPOCHS = (2, 1, 1)
every_stage = pytest.mark.parametrize("index", range(3), ids=STAGES)
frames_alone = pytest.mark.parametrize("config", ["frames"], indirect=True)
"""The store treats the stages of all clip inputs in the same way."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished trial, its callback events and its stage store."""

    outcome: TrialOutcome
    recorder: RecordingCallback
    folder: Path
    config: TrialConfig

    def events(self, index: int) -> list[tuple[Any, ...]]:
        """Return the callback events of one stage."""
        result = self.outcome.stages[index]
        return [
            event for event in self.recorder.events if event[1:3] == (result.kind.name, result.pass_index)
        ]


class Witness(RecordingCallback):
    """Checks that a stage is in the store when its end is reported."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_stage_end(self, result: StageResult) -> None:
        assert StageStore(self.folder).find(result.kind, result.key) is not None
        super().on_stage_end(result)


def run(config: TrialConfig, clips: ClipStore, folder: Path) -> Run:
    recorder = Witness(folder)
    return Run(run_trial(open_tiny_trial(config, clips, folder, recorder)), recorder, folder, config)


@pytest.fixture(scope="module", params=OVERRIDES)
def config(request: pytest.FixtureRequest) -> TrialConfig:
    return tiny_config(*OVERRIDES[request.param], passes=1)


@pytest.fixture(scope="module")
def computed(config: TrialConfig, tiny_clips: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(config, tiny_clips, tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="module")
def found(tiny_clips: ClipStore, computed: Run) -> Run:
    return run(computed.config, tiny_clips, computed.folder)


@pytest.fixture(scope="module")
def computed_again(
    config: TrialConfig, tiny_clips: ClipStore, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    # What a process drew before must not matter.
    torch.manual_seed(99)
    np.random.default_rng().random(7)
    return run(config, tiny_clips, tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def folder(computed: Run, tmp_path: Path) -> Path:
    """A copy of the store, to be damaged."""
    return Path(shutil.copytree(computed.folder, tmp_path / "stages"))


def untimed(epoch: EpochMetrics) -> EpochMetrics:
    return dataclasses.replace(epoch, seconds=0.0)


def measured(result: StageResult) -> tuple[object, ...]:
    """Return the measurements of a stage without its seconds and without whether it was reused."""
    fields = (result.kind, result.key, result.parent_key, result.pass_index, result.hierarchy, result.cost)
    epochs = tuple(untimed(epoch) for epoch in result.epochs)
    return (*fields, epochs, result.stack_accuracies, result.confusion_KK.tolist())


@every_stage
def test_a_stage_is_reported_in_order_and_kept_before_its_end_is_reported(computed: Run, index: int) -> None:
    result = computed.outcome.stages[index]
    first, *epochs, last = computed.events(index)
    assert first == ("started", result.kind.name, result.pass_index, False)
    assert [event[3:] for event in epochs] == [(each, False) for each in result.epochs]
    assert {event[:3] for event in epochs} == {("epoch", result.kind.name, result.pass_index)}
    assert [metrics.epoch for metrics in result.epochs] == list(range(EPOCHS[index]))
    assert last[0] == "finished"
    assert last[3] is result
    assert not result.reused


def test_stages_are_reported_one_after_the_other(computed: Run) -> None:
    assert computed.recorder.events == [event for index in range(3) for event in computed.events(index)]


@every_stage
def test_a_found_stage_is_the_computed_one(computed: Run, found: Run, index: int) -> None:
    ours, theirs = computed.outcome.stages[index], found.outcome.stages[index]
    assert measured(theirs) == measured(ours)
    assert theirs.seconds == ours.seconds
    assert theirs.epochs == ours.epochs
    assert theirs.reused


@every_stage
def test_a_found_stage_is_reported_as_if_it_had_run(computed: Run, found: Run, index: int) -> None:
    (_, *epochs, _), (first, *replayed, last) = computed.events(index), found.events(index)
    result = found.outcome.stages[index]
    assert first == ("started", result.kind.name, result.pass_index, True)
    assert replayed == [(*event[:-1], True) for event in epochs]
    assert last[0] == "finished"
    assert last[3] is result


def test_finding_changes_nothing_in_the_store(computed: Run, tiny_clips: ClipStore, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run(computed.config, tiny_clips, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert len(before) == 4 * len(computed.outcome.stages)


@every_stage
def test_a_fresh_store_ends_in_the_same_bits(computed: Run, computed_again: Run, index: int) -> None:
    ours, theirs = computed.outcome.stages[index], computed_again.outcome.stages[index]
    assert measured(theirs) == measured(ours)
    weights, again = (
        StageStore(each.folder).load_weights(ours.kind, ours.key) for each in (computed, computed_again)
    )
    assert set(weights) == set(again)
    for name, tensor in weights.items():
        assert torch.equal(tensor, again[name]), name


@every_stage
def test_training_changes_the_weights(computed: Run, index: int) -> None:
    if index:
        store = StageStore(computed.folder)
        parent, result = computed.outcome.stages[index - 1 : index + 1]
        assert result.parent_key == parent.key
        before, after = (store.load_weights(each.kind, each.key) for each in (parent, result))
        common = [name for name in before if name in after and before[name].is_floating_point()]
        assert common
        # A branch of one channel, as a graph network has them, learns nothing where what it reads is pruned.
        assert all(".dilated." in name for name in common if torch.equal(before[name], after[name]))
    else:
        assert computed.outcome.stages[index].parent_key is None


@every_stage
def test_seconds_and_clips_are_those_of_the_work(computed: Run, index: int) -> None:
    result = computed.outcome.stages[index]
    assert 0 < sum(epoch.seconds for epoch in result.epochs) < result.seconds
    # Three subjects, four replications of six classes.
    assert {epoch.num_clips for epoch in result.epochs} == {3 * 4 * 6}


def test_trained_and_reused_work_are_both_counted(computed: Run, found: Run) -> None:
    trained, reused = computed.outcome, found.outcome
    assert (trained.epochs(reused=False), trained.epochs(reused=True)) == (sum(EPOCHS), 0)
    assert (reused.epochs(reused=False), reused.epochs(reused=True)) == (0, sum(EPOCHS))
    assert trained.seconds(reused=True) == reused.seconds(reused=False) == 0
    assert reused.seconds(reused=True) == trained.seconds(reused=False) > 0


@every_stage
@frames_alone
def test_a_damaged_stage_is_trained_again_and_its_children_are_reused(
    computed: Run, tiny_clips: ClipStore, folder: Path, caplog: pytest.LogCaptureFixture, index: int
) -> None:
    result = computed.outcome.stages[index]
    path = folder / result.kind.name / result.key / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    again = run(computed.config, tiny_clips, folder).outcome
    assert [stage.reused for stage in again.stages] == [other != index for other in range(3)]
    assert [measured(stage) for stage in again.stages] == [
        measured(stage) for stage in computed.outcome.stages
    ]
    assert "will be trained again" in caplog.text
    theirs, ours = (
        StageStore(each).load_weights(result.kind, result.key) for each in (computed.folder, folder)
    )
    assert all(torch.equal(tensor, ours[name]) for name, tensor in theirs.items())


class StopHereError(Exception):
    """Raised by a callback to end its trial."""


class Impatient(RecordingCallback):
    """Raises at the end of the first epoch of one stage."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: object, *, reused: bool) -> None:  # noqa: ARG002
        if kind.name == self.kind:
            raise StopHereError


@pytest.mark.parametrize(("kind", "num_kept"), [("pass-1", 0), ("pass-2", 1), ("prune", 2)])
@frames_alone
def test_a_callback_may_end_the_trial_and_finished_stages_stay(
    computed: Run, tiny_clips: ClipStore, folder: Path, kind: str, num_kept: int
) -> None:
    for result in computed.outcome.stages[num_kept:]:
        shutil.rmtree(folder / result.kind.name / result.key)
    with pytest.raises(StopHereError):
        run_trial(open_tiny_trial(computed.config, tiny_clips, folder, Impatient(kind)))
    kept = {path.parent.name for path in folder.glob("*/*/stage.json")}
    assert kept == {result.key for result in computed.outcome.stages[:num_kept]}
    assert not list(folder.rglob("*.tmp"))
