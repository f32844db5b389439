"""Trust in stored stages: only the stage of the asked kind and key is taken, with files that fit it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.result import StageResult
from autohier.core.stages.stage_key import stage_key
from autohier.core.stages.store.listing import list_store
from autohier.core.stages.store.stage_store import StageStore
from autohier.errors import DivergedError, StageDamagedError
from support.fakes.fake_outcomes import fake_inputs, fake_stage
from support.fakes.forged_stages import forge

WEIGHTS = {"conv.weight": torch.ones(3)}
ERROR_CLASS = re.compile(r"[A-Z][a-z]\w*Error|Errno|NoneType")
"""Name of a class of errors, which says nothing to users."""
CONTENTS = ("model.safetensors", "epochs.parquet", "confusion.npy")


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(tmp_path / "stages")


def publish(store: StageStore, stage: StageResult) -> Path:
    store.publish(stage, fake_inputs(stage), WEIGHTS)
    return store.folder / stage.kind.name / stage.key


def pass_2(num_right: int = 90) -> StageResult:
    return fake_stage("pass-2", 0, num_right, parent_key="1" * 64)


def names_in_quarantine(store: StageStore) -> list[str]:
    folder = store.folder / "quarantine"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def assert_refused(
    store: StageStore, stage: StageResult, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert store.find(stage.kind, stage.key) is None
    (name,) = names_in_quarantine(store)
    assert name.startswith(f"{stage.kind.name}-{stage.key}")
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert ERROR_CLASS.search(record.getMessage()) is None
    publish(store, stage)
    assert store.find(stage.kind, stage.key) is not None


def copy_over(store: StageStore, of: StageResult, to: StageResult) -> Path:
    """Publish two stages, and replace the second's folder by a copy of the first's."""
    source, target = publish(store, of), publish(store, to)
    shutil.rmtree(target)
    shutil.copytree(source, target)
    return target


def test_a_copy_of_another_stage_is_not_taken(store: StageStore, caplog: pytest.LogCaptureFixture) -> None:
    copy_over(store, pass_2(50), pass_2(90))
    assert_refused(store, pass_2(90), "must be of kind pass-2 and have that key", caplog)


def test_a_copy_that_claims_the_key_is_not_taken(store: StageStore, caplog: pytest.LogCaptureFixture) -> None:
    target = copy_over(store, pass_2(50), pass_2(90))
    forge(target, lambda stage: stage.update(key=pass_2(90).key))
    assert_refused(store, pass_2(90), "the digest of its key content", caplog)


def test_a_copy_with_the_key_content_of_another_stage_is_not_taken(
    store: StageStore, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = json.loads((publish(store, pass_2(90)) / "stage.json").read_text())["stage"]
    target = copy_over(store, pass_2(50), pass_2(90))
    forge(target, lambda stage: stage.update(key=wanted["key"], key_content=wanted["key_content"]))
    assert_refused(store, pass_2(90), "must have the inputs of its key, but got another numerics", caplog)


def test_a_stage_of_another_kind_is_not_taken(store: StageStore, caplog: pytest.LogCaptureFixture) -> None:
    stage = pass_2()
    publish(store, stage).parent.rename(store.folder / "prune")
    assert store.find(PRUNE, stage.key) is None
    assert "must be of kind prune" in caplog.text


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(stage: dict[str, Any]) -> None:
        for name in path[:-1]:
            stage = stage[name]
        stage[path[-1]] = to

    return change


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another seed": (_set("inputs", "base", "seed", to=7), "another seed"),
    "another data set": (_set("inputs", "base", "data", to="e" * 64), "another data"),
    "another setting": (_set("inputs", "epochs", to=9), "another epochs"),
    "another rate": (_set("inputs", "optimisation", "learning_rate", to=1.0), "another optimisation"),
    "another schedule": (_set("inputs", "optimisation", "schedule", to="cosine"), "another schedule"),
    "another network": (_set("inputs", "base", "network", "name", to="st-gcn"), "another network"),
    "another parent": (_set("parent_key", to="7" * 64), "another parent"),
    "another parent in the inputs": (_set("inputs", "parent_key", to=None), "another parents"),
    "another hierarchy": (
        _set("hierarchy", to=[[k % 3 for k in range(12)], list(range(12))]),
        "must have the hierarchy of its inputs",
    ),
    "a hierarchy of no classes": (_set("hierarchy", to=[]), "damaged content"),
    "an accuracy above 1": (_set("stack_accuracies", to=[1.0, 1.0, 1.5]), "accuracies must be shares"),
    "a negative accuracy": (_set("stack_accuracies", to=[1.0, -0.1, 0.75]), "accuracies must be shares"),
    "one accuracy too few": (_set("stack_accuracies", to=[1.0, 0.75]), "accuracies must be shares"),
    "an accuracy as text": (_set("stack_accuracies", to=[1.0, 1.0, "0.75"]), "current format"),
    "another accuracy": (_set("stack_accuracies", to=[1.0, 1.0, 0.99]), "that of the confusion matrix"),
    "a pass of another kind": (_set("pass_index", to=1), "pass_index must count pruning passes"),
    "a pass that is no number": (_set("pass_index", to="0"), "pass_index must count pruning passes"),
    "negative costs": (_set("cost", "parameters", to=-1), "parameters and multiply-adds must be positive"),
    "more costs": (_set("cost", "euros", to=1), "damaged content"),
    "negative seconds": (_set("seconds", to=-1.0), "seconds must be a time"),
    "huge seconds": (_set("seconds", to=10**400), "damaged content"),
    "a file elsewhere": (_set("files", "../../foreign", to={"bytes": 7, "sha256": "0" * 64}), "match their"),
    "a file less": (lambda stage: stage["files"].pop("epochs.parquet"), "nothing under 'epochs.parquet'"),
    "no inputs": (lambda stage: stage.pop("inputs"), "nothing under 'inputs'"),
    "no key content": (lambda stage: stage.pop("key_content"), "nothing under 'key_content'"),
    "deep nesting": (_set("seconds", to=json.loads("[" * 500 + "]" * 500)), "seconds must be a time"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_description_is_not_taken(
    store: StageStore, caplog: pytest.LogCaptureFixture, forgery: str
) -> None:
    change, reason = FORGERIES[forgery]
    forge(publish(store, pass_2()), change)
    assert_refused(store, pass_2(), reason, caplog)


def _write_rows(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        table = pq.read_table(folder / "epochs.parquet").to_pydict()
        change(table)
        pq.write_table(pa.table(table), folder / "epochs.parquet")

    return write


def _save_confusion(confusion_KK: np.ndarray[Any, Any]) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / "confusion.npy", confusion_KK)


def _empty(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(b"")


def _claim_endless_confusion(folder: Path) -> None:
    path = folder / "confusion.npy"
    path.write_bytes(path.read_bytes().replace(b"(12, 12), }  ", b"(12, 10**9)}")[:200])


CONTENT_CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    **{f"an empty {name}": (_empty(name), "current format") for name in CONTENTS},
    "NaN weights": (
        lambda folder: save_file({"conv.weight": torch.full((3,), torch.nan)}, folder / "model.safetensors"),
        "must be finite, but got others in conv.weight",
    ),
    "another number of classes": (_save_confusion(np.eye(11, dtype=np.int64)), "must be 12 x 12"),
    "fractions in the confusion": (_save_confusion(np.eye(12)), "12 x 12 whole numbers, but got float64"),
    "negative clips": (
        _save_confusion(np.diag([100] * 11 + [-980]).astype(np.int64)),
        "the confusion matrix must count clips",
    ),
    "no clips": (_save_confusion(np.zeros((12, 12), np.int64)), "the confusion matrix must count clips"),
    "a confusion that no memory holds": (_claim_endless_confusion, "current format"),
    "pickled confusion": (
        lambda folder: np.save(folder / "confusion.npy", np.array([[{}]] * 12), allow_pickle=True),
        "12 x 12 whole numbers, but got object",
    ),
    "a loss that is no number": (_write_rows(lambda rows: rows["loss"].append(rows["loss"].pop() * np.nan)),
                                 "the measurements of its epochs"),
    "epochs in another order": (_write_rows(lambda rows: rows["epoch"].reverse()), "numbered from 0"),
    "a missing column": (_write_rows(lambda rows: rows.pop("seconds")), "damaged content"),
    "a column too many": (_write_rows(lambda rows: rows.update(mood=["good", "bad"])), "damaged content"),
}  # fmt: skip


@pytest.mark.parametrize("change", CONTENT_CHANGES)
def test_files_that_match_their_digests_are_checked_nevertheless(
    store: StageStore, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    act, reason = CONTENT_CHANGES[change]
    folder = publish(store, pass_2())
    act(folder)
    forge(folder)
    assert_refused(store, pass_2(), reason, caplog)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "more"])
def test_a_stage_with_another_file_is_not_taken(
    store: StageStore, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (publish(store, pass_2()) / name).mkdir()
    assert_refused(store, pass_2(), "and nothing else", caplog)


@pytest.mark.parametrize("name", ["stage.json", *CONTENTS])
@pytest.mark.parametrize("place", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_pipes_and_folders_in_place_of_a_file_neither_hang_nor_pass(
    store: StageStore, caplog: pytest.LogCaptureFixture, name: str, place: Callable[[Path], None]
) -> None:
    path = publish(store, pass_2()) / name
    path.unlink()
    place(path)
    assert_refused(store, pass_2(), "must be complete", caplog)


@pytest.mark.parametrize("place", [Path.touch, lambda path: path.symlink_to("nowhere"), os.mkfifo])
def test_something_else_at_the_place_of_a_stage_makes_room_for_it(
    store: StageStore, caplog: pytest.LogCaptureFixture, place: Callable[[Path], None]
) -> None:
    path = store.folder / "pass-2" / pass_2().key
    path.parent.mkdir(parents=True)
    place(path)
    assert_refused(store, pass_2(), "must be complete", caplog)


@pytest.mark.parametrize("key", ["../../foreign", "", "abc", "A" * 64, "0" * 63 + "/", f"{'0' * 64}\n"])
def test_a_key_from_a_file_is_no_path(store: StageStore, tmp_path: Path, key: str) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (store.folder / "pass-2").mkdir(parents=True)
    assert store.find(PASS_2, key) is None
    assert not store.holds(PASS_2, key)
    for use in (store.load_weights, lambda kind, key: store.load_into(torch.nn.Linear(1, 1), kind, key)):
        with pytest.raises(StageDamagedError, match="a stage key must be 64 hexadecimal digits, but got"):
            use(PASS_2, key)
    assert foreign.is_dir()
    assert names_in_quarantine(store) == []


def test_a_forged_key_renames_no_foreign_folder(store: StageStore, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    forge(publish(store, pass_2()), lambda stage: stage.update(key="../../foreign", kind=".."))
    assert store.find(PASS_2, pass_2().key) is None
    assert foreign.is_dir()


def test_weights_that_are_not_finite_are_not_published(store: StageStore) -> None:
    stage = fake_stage("pass-1", 0, 60)
    with pytest.raises(DivergedError, match=r"weights of pass 1 must be finite, but got others in b: lower"):
        store.publish(stage, fake_inputs(stage), {"a": torch.ones(2), "b": torch.tensor([1.0, torch.inf])})
    assert not store.holds(PASS_1, stage.key)


def test_a_stage_under_another_key_has_no_summary(store: StageStore) -> None:
    copy_over(store, pass_2(50), pass_2(90))
    assert {stage.key: stage.summary is not None for stage in list_store(store.folder)} == {
        pass_2(50).key: True,
        pass_2(90).key: False,
    }


def test_a_setting_that_later_versions_add_does_not_change_the_identity(store: StageStore) -> None:
    """The stage was stored when its key covered the same content and its inputs had another form."""
    stage = pass_2()
    forge(publish(store, stage), lambda stage: stage["inputs"].update(retired=1))
    found = store.find(PASS_2, stage.key)
    assert found is not None
    assert dataclasses.replace(found, reused=False, confusion_KK=stage.confusion_KK) == stage
    assert stage_key(PASS_2, fake_inputs(stage)) == stage.key
