"""Damaged files of a sweep: each is read as it was, or refused by name, or set aside and computed again."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given

from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.errors import AutohierError
from autohier.records.reader import read_records
from autohier.records.schema import ROW_FOLDERS
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_outcomes import fake_inputs, fake_stage
from support.fuzz.edits import cuts, edited, words
from support.fuzz.law import check_law, every_third, fuzz_settings, naming_input
from support.fuzz.places import PLACES
from support.sweep_runs.recorded_sweeps import open_recorded_sweep
from support.sweep_runs.studies import complete, open_study
from support.training.small_training import TwoLayers, cut, run, untimed

MANY = 96 << 20
STAGE = fake_stage("pass-2", 0, 90, parent_key="1" * 64)
OTHER = fake_stage("pass-2", 0, 80, parent_key="1" * 64)
FILES = ("stage.json", "model.safetensors", "epochs.parquet", "confusion.npy")


@dataclass(frozen=True)
class Case:
    """A file, and how it is read.

    Attributes:
        write: writes the files into a folder and returns the one to damage, and another of its kind.
        read: returns what the folder holds; AutohierError refuses the file.
        recovers: whether a read value other than the good one is allowed, as it says that something is lost.
        is_text: True if the file consists of words.
    """

    write: Callable[[Path], tuple[Path, Path]]
    read: Callable[[Path], Any]
    recovers: Callable[[Any, Any], bool] = lambda found, good: found == good
    is_text: bool = False


def _write_stages(folder: Path, name: str) -> tuple[Path, Path]:
    store = StageStore(folder / "stages")
    for stage, value in ((STAGE, 1.0), (OTHER, 2.0)):
        store.publish(stage, fake_inputs(stage), {"conv.weight": torch.full((3,), value)})
    paths = [store.folder / "pass-2" / stage.key / name for stage in (STAGE, OTHER)]
    return paths[0], paths[1]


def _read_stage(folder: Path) -> object:
    store = StageStore(folder / "stages")
    found = store.find(STAGE.kind, STAGE.key)
    if found is None:  # it is set aside, and can be published again
        store.publish(STAGE, fake_inputs(STAGE), {"conv.weight": torch.ones(3)})
        found = store.find(STAGE.kind, STAGE.key)
    assert found is not None
    weights = store.load_weights(STAGE.kind, STAGE.key)
    plain = {name: tensor.tolist() for name, tensor in weights.items()}
    return replace(found, confusion_KK=found.confusion_KK.tolist()), plain


def _write_checkpoints(folder: Path) -> tuple[Path, Path]:
    paths = [folder / name for name in ("epochs", "others")]
    for path, last in zip(paths, (1, 2), strict=True):
        cut(EpochCheckpoint(path), last)
    return paths[0], paths[1]


def _train_rest(folder: Path) -> object:
    network = TwoLayers()
    history = untimed(run(network, checkpoint=EpochCheckpoint(folder / "epochs")))
    return history, [tensor.tolist() for tensor in network.parameters()]


def _write_journals(folder: Path) -> tuple[Path, Path]:
    paths = []
    for name, value in (("a", 0.5), ("b", 0.75)):
        study = open_study(folder / name, trials=2, study_name=f"study-{name}")
        for accuracy in (value, 0.25):
            sampled = study.next_trial()
            assert sampled is not None
            complete(study, sampled, [accuracy])
        paths.append(folder / name / "sweep" / "study.journal")
    return paths[0], paths[1]


def _read_study(folder: Path) -> dict[str, tuple[object, ...]]:
    study = open_study(folder / "a", trials=2, study_name="study-a")
    return {each.name: (each.config, each.chain, each.value) for each in study.trials().ended}


def _is_part(found: Any, good: Any) -> bool:
    """The trials that are left are unchanged; the others run again."""
    return all(good[name] == value for name, value in found.items())


def _write_records(folder: Path, kind: str) -> tuple[Path, Path]:
    sweep = open_recorded_sweep(folder)
    sweep.test(sweep.complete(78, 90), 0.75)
    sweep.test(sweep.complete(81), 0.5)
    parts = folder / "sweep" / "records" / kind
    return parts / "t0000.parquet", parts / "t0001.parquet"


def _read_records(folder: Path) -> object:
    return read_records(folder / "sweep" / "records")


def _write_plans(folder: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        open_recorded_sweep(folder / name)
    return folder / "a" / "sweep" / "sweep.json", folder / "b" / "sweep" / "sweep.json"


def _read_plan(folder: Path) -> object:
    return SweepFolder(folder / "a" / "sweep").read_plan()


CASES = {
    **{
        f"stage {name}": Case(partial(_write_stages, name=name), _read_stage, is_text=name == "stage.json")
        for name in FILES
    },
    "checkpoint": Case(_write_checkpoints, _train_rest),
    "journal": Case(_write_journals, _read_study, _is_part, is_text=True),
    # People may edit it, so that any plan that is valid is right.
    "sweep.json": Case(_write_plans, _read_plan, lambda *_: True, is_text=True),
    **{
        f"records {kind}": Case(partial(_write_records, kind=kind), _read_records)
        for kind in ROW_FOLDERS.values()
        if kind != "work"
    },
}


class Bench:
    """Files in a folder, of which one is damaged again and again."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.good_folder = folder / "good"
        self.good_folder.mkdir(parents=True)
        path, other = case.write(self.good_folder)
        self.name = path.relative_to(self.good_folder)
        self.content, self.other = path.read_bytes(), other.read_bytes()
        self.good = case.read(self.good_folder)
        self._number = 0

    def try_put(self, put: Callable[[Path], object], reader: str) -> None:
        """Damage the file in a fresh copy of the folder, and check that reading keeps the law."""
        self._number += 1
        folder = self.folder / f"{self._number}"
        shutil.copytree(self.good_folder, folder)
        (folder / self.name).unlink()
        put(folder / self.name)
        values: list[Any] = []

        def read() -> list[AutohierError]:
            values.append(self.case.read(folder))
            return []

        errors: list[AutohierError | OSError] = []
        try:
            errors += check_law(reader, read, num_bytes=MANY + 100 * len(self.content), source=folder)
        except OSError as error:  # of the system, with the name of the file
            errors.append(error)
        assert values or errors
        assert all(self.name.name in str(error) for error in errors), errors
        for value in values:
            assert self.case.recovers(value, self.good)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("autohier"), "disabled", True)


@pytest.mark.parametrize("name", CASES)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    bench = Bench(CASES[name], tmp_path)
    damages: dict[str, Callable[[Path], object]] = {
        damage: partial(Path.write_bytes, data=content) for damage, content in cuts(bench.content)
    }
    damages["another file of its kind"] = partial(Path.write_bytes, data=bench.other)
    if bench.case.is_text:
        damages |= {
            word: partial(Path.write_bytes, data=content)
            for word, content in every_third(words(bench.content))
        }
    places = {place: put for place, put in PLACES.items() if place != "nothing"}
    for damage, put in [*every_third(damages.items()), *every_third(places.items())]:
        with naming_input(damage):
            bench.try_put(put, name)


@pytest.mark.parametrize("name", CASES)
def test_random_edits(name: str, tmp_path: Path) -> None:
    bench = Bench(CASES[name], tmp_path)

    @fuzz_settings(20)
    @given(edited(bench.content, is_text=bench.case.is_text))
    def try_edited(content: bytes) -> None:
        bench.try_put(partial(Path.write_bytes, data=content), name)

    try_edited()
