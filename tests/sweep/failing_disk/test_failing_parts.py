"""Each part of a sweep on a disk that fails once, or from a moment on.

It ends with an error of one line, leaves nothing that is trusted wrongly, and the same work done again ends
as on a sound disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autohier.core.stages.store.listing import list_store
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.metrics import Evaluation
from autohier.errors import AutohierError
from autohier.records.reader import Records, read_records
from autohier.records.recorders.trial_recorder import TrialRecorder
from autohier.records.rows import evaluation_row
from autohier.records.tensorboard.event_files import Picture
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_outcomes import (
    MINUTE,
    START,
    fake_confusion,
    fake_inputs,
    fake_outcome,
    fake_row,
    fake_stage,
    replay,
)
from support.fakes.faulty_disk import BROKEN, FULL, FaultyDisk, failing
from support.sweep_runs.plans import make_plan, make_provenance
from support.sweep_runs.studies import complete, open_study
from support.training.small_training import TwoLayers, cut, run, untimed

PICTURE = Picture(b"", 1, 1)
MODES = [(number, lasts) for number in (FULL, BROKEN) for lasts in (False, True)]


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("confusion_picture", "hierarchy_picture"):
        monkeypatch.setattr(f"autohier.records.tensorboard.callback.{name}", lambda *_: PICTURE)


@dataclass(frozen=True)
class Part:
    """One part of a sweep.

    Attributes:
        work: does the work in a folder, also after a failed attempt.
        read: returns what a later run makes of the folder; it must not fail after a failed attempt either.
        allowed: whether a failed attempt may leave this.
        never_fails: True if the work ends well on any disk.
    """

    work: Callable[[Path], object]
    read: Callable[[Path], Any]
    allowed: Callable[[Any, Any], bool]
    never_fails: bool = False


def _nothing_or_all(found: object, expected: object) -> bool:
    return found in (None, expected)


def _publish(folder: Path) -> None:
    stage = fake_stage("pass-2", 0, 90, parent_key="1" * 64)
    StageStore(folder).publish(stage, fake_inputs(stage), {"conv.weight": torch.ones(3)})


def _find(folder: Path) -> object:
    stage = fake_stage("pass-2", 0, 90, parent_key="1" * 64)
    with suppress(AutohierError):
        assert all(each.place != "quarantine" for each in list_store(folder))
    found = StageStore(folder).find(stage.kind, stage.key)
    return found and replace(found, confusion_KK=found.confusion_KK.tolist())


def _train(folder: Path) -> None:
    """Train two epochs of four, with a checkpoint after each."""
    cut(EpochCheckpoint(folder / "partial" / "pass-1"), 1)


def _train_rest(folder: Path) -> object:
    network = TwoLayers()
    history = untimed(run(network, checkpoint=EpochCheckpoint(folder / "partial" / "pass-1")))
    return history, [tensor.tolist() for tensor in network.parameters()]


def _train_all(folder: Path) -> None:
    checkpoint = EpochCheckpoint(folder / "partial" / "pass-1")
    run(TwoLayers(), checkpoint=checkpoint)
    checkpoint.remove()


def _record(folder: Path) -> None:
    writer, outcome = RecordWriter(folder), fake_outcome(72, (78, 81))
    writer.write_trial(fake_row())
    writer.write_ended(complete := _ended(), outcome.stages)
    evaluation = Evaluation(1.0, (0.5,), fake_confusion(60))
    row = evaluation_row(complete, "pass 1", evaluation, START)
    writer.write_test_results("t0000", [row])
    writer.add_test_result(row)


def _ended() -> Any:
    from autohier.records.trial_rows import complete_row

    return complete_row(fake_row(), fake_outcome(72, (78, 81)), START + MINUTE)


def _is_earlier(found: Records, expected: Records) -> bool:
    """Each kind of row is absent or whole; the trial's row may be that of its start."""
    return all(
        not getattr(found, kind) or getattr(found, kind) == getattr(expected, kind)
        for kind in ("stages", "epochs")
    ) and (found.trials in ((), (fake_row(),), expected.trials) and len(found.tests) <= len(expected.tests))


def _record_trial(folder: Path) -> None:
    """Record a trial as its process does, with its curves."""
    outcome = fake_outcome(72, (78, 81))
    arguments = {"trial": "t0000", "number": 0, "trial_index": 0, "source": "sampled"}
    recorder = TrialRecorder(folder / "records", folder / "tensorboard", outcome.config, **arguments)  # type: ignore[arg-type]
    try:
        with recorder.curves(()) as curves:
            replay(outcome, curves)
            replay(outcome, recorder.history)
        recorder.complete(outcome)
    except OSError as error:
        recorder.fail(str(error), "disk error")
        raise


def _recorded(folder: Path) -> list[tuple[str, int, int]]:
    records = read_records(folder / "records")
    return [(row.state, len(records.stages), len(records.epochs)) for row in records.trials]


def _write_plan(folder: Path) -> None:
    sweep = SweepFolder(folder / "sweep")
    for trials in (3, 6):
        sweep.write_plan(make_plan(folder, trials=trials), make_provenance())


def _read_plan(folder: Path) -> int | None:
    with suppress(AutohierError):
        return SweepFolder(folder / "sweep").read_plan()[0].trials
    assert not SweepFolder(folder / "sweep").plan_file.exists()
    return None


def _study(folder: Path) -> None:
    """Run three trials and keep the test results of the first."""
    study = open_study(folder, trials=3)
    study.reconcile()
    while (sampled := study.next_trial()) is not None:
        complete(study, sampled, [0.5, 0.25 + sampled.index / 10])
    study.record_tests("t0000", [{"accuracy": 0.5}])


def _read_study(folder: Path) -> object:
    study = open_study(folder, trials=3)
    study.reconcile()
    ended = [(each.name, each.config, each.chain, each.value) for each in study.trials().ended]
    return ended, dict(study.tests())


def _is_prefix(found: Any, expected: Any) -> bool:
    return found[0] == expected[0][: len(found[0])] and found[1] in ({}, expected[1])


PARTS = {
    "publish": Part(_publish, _find, _nothing_or_all),
    "checkpoint": Part(_train, _train_rest, lambda found, expected: found == expected, never_fails=True),
    "checkpoint of a finished stage": Part(
        _train_all, _train_rest, lambda found, expected: found == expected, never_fails=True
    ),
    "records and test results": Part(_record, read_records, _is_earlier),
    # The row of its start, its end or its failure; other rows may be there before it.
    "trial with curves": Part(_record_trial, _recorded, lambda *_: True),
    "sweep.json": Part(_write_plan, _read_plan, lambda found, _: found in (None, 3, 6)),
    "journal": Part(_study, _read_study, _is_prefix),
}


def disks(folder: Path, number: int, lasts: bool) -> Iterator[FaultyDisk]:
    """Yield disks that fail at their first, second, ... change, until one has not failed."""
    first = 0
    while True:
        first += 1
        disk = FaultyDisk(folder / f"{first}", first, number, lasts)
        disk.folder.mkdir()
        yield disk
        if len(disk.seen) < first:
            return


@pytest.mark.parametrize(
    ("number", "lasts"), MODES, ids=["full", "full from then", "broken", "broken from then"]
)
@pytest.mark.parametrize("name", PARTS)
def test_work_on_a_failing_disk(tmp_path: Path, name: str, number: int, lasts: bool) -> None:
    part = PARTS[name]
    (tmp_path / "sound").mkdir()
    part.work(tmp_path / "sound")
    expected = part.read(tmp_path / "sound")
    (tmp_path / "failing").mkdir()
    num_failed = 0
    for disk in disks(tmp_path / "failing", number, lasts):
        error: Exception | None = None
        with failing(disk):
            try:
                part.work(disk.folder)
            except (AutohierError, OSError) as raised:
                error = raised
        where = f"change {disk.first}: {disk.failed[:1]}, {error}"
        num_failed += bool(disk.failed)
        assert not (part.never_fails and error), where
        assert "\n" not in str(error), where
        if error is None:  # never a wrong success
            assert part.read(disk.folder) == expected, where
        assert part.allowed(part.read(disk.folder), expected), where
        part.work(disk.folder)
        assert part.read(disk.folder) == expected, where
    assert num_failed > 5


@pytest.mark.parametrize("name", PARTS)
def test_every_written_file_is_seen(tmp_path: Path, name: str) -> None:
    """A library that writes outside Python would not be tested."""
    with failing(FaultyDisk(tmp_path)) as disk:
        PARTS[name].work(tmp_path)
    written = {change.removeprefix("write ") for change in disk.seen if change.startswith("write ")}
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written
    assert all(any(name in each for each in written) for name in left), (left, written)
