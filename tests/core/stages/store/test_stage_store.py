"""The stage store: what is published is found again, whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.result import StageResult
from autohier.core.stages.store import stage_files as store_module
from autohier.core.stages.store.stage_store import StageStore
from autohier.errors import StageDamagedError
from support.fakes.fake_outcomes import fake_inputs, fake_stage

FILES = ("stage.json", "model.safetensors", "epochs.parquet", "confusion.npy")
KINDS = (PASS_1, PASS_2, PRUNE)


def make_stage(kind: StageKind | str, num_right: int = 77) -> StageResult:
    name = kind if isinstance(kind, str) else kind.name
    parent_key = None if name == "pass-1" else "0" * 64
    return fake_stage(kind, 3 if name == "prune" else 0, num_right, parent_key=parent_key)


def make_weights() -> dict[str, Tensor]:
    torch.manual_seed(1)
    filters = torch.randn(8, 3, 3, 3, 3)
    return {
        "conv.weight": filters.to(memory_format=torch.channels_last_3d),
        "conv.transposed": torch.randn(4, 5).T,
        "bn.running_var": torch.tensor([1e-45, 3.4e38, 1.1754944e-38, -0.0]),
        "bn.num_batches_tracked": torch.tensor(12),
        "half": torch.randn(3).bfloat16(),
        "alive.conv": torch.tensor([True, False, True]),
    }


def publish(store: StageStore, result: StageResult) -> Path:
    store.publish(result, fake_inputs(result), make_weights())
    return store.folder / result.kind.name / result.key


def assert_same(found: StageResult | None, published: StageResult) -> None:
    assert found is not None
    for field in dataclasses.fields(StageResult):
        if field.name == "confusion_KK":
            assert found.confusion_KK.dtype == np.int64
            assert np.array_equal(found.confusion_KK, published.confusion_KK)
        elif field.name != "reused":
            assert getattr(found, field.name) == getattr(published, field.name), field.name
    assert found.reused


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(tmp_path / "stages")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_published_is_found_again(store: StageStore, kind: StageKind) -> None:
    odd = dataclasses.replace(make_stage(kind), seconds=0.1 + 0.2)
    epochs = (dataclasses.replace(odd.epochs[0], loss=1 / 3, learning_rate=1e-4 / 3), *odd.epochs[1:])
    published = dataclasses.replace(odd, epochs=epochs)
    publish(store, published)
    assert_same(store.find(kind, published.key), published)


def test_weights_come_back_bit_for_bit(store: StageStore) -> None:
    result = make_stage("prune")
    publish(store, result)
    found, published = store.load_weights(PRUNE, result.key), make_weights()
    assert set(found) == set(published)
    for name, tensor in published.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        as_bytes = (found[name].contiguous().reshape(-1), tensor.contiguous().reshape(-1))
        assert torch.equal(*(each.view(torch.uint8) for each in as_bytes)), name


def test_what_was_not_published_is_not_there(store: StageStore) -> None:
    published = make_stage("pass-2")
    publish(store, published)
    assert store.find(PASS_2, "0" * 64) is None
    assert store.find(PRUNE, published.key) is None
    with pytest.raises(StageDamagedError, match=r"weights must be readable, but got .*: run the trial again"):
        store.load_weights(PRUNE, published.key)


def test_the_layout_is_the_documented_one(store: StageStore) -> None:
    result = make_stage("pass-2")
    folder = publish(store, result)
    assert folder == store.folder / "pass-2" / result.key
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    description = json.loads((folder / "stage.json").read_text())["stage"]
    assert description["inputs"] == fake_inputs(result).model_dump(mode="json")


def test_a_stage_is_stored_without_pickle(store: StageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickle was used")

    for name in ("pickle.dump", "pickle.dumps", "pickle.load", "pickle.loads", "torch.save", "torch.load"):
        monkeypatch.setattr(name, refuse)
    result = make_stage("pass-2")
    folder = publish(store, result)
    assert store.find(PASS_2, result.key) is not None
    store.load_weights(PASS_2, result.key)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert set(file.keys()) == set(make_weights())
    # A pickle begins with 0x80 and its protocol, a torch archive with PK.
    assert not any(path.read_bytes()[:2] in (b"PK", b"\x80\x02", b"\x80\x04") for path in folder.iterdir())


def test_a_pickle_in_place_of_the_weights_is_refused(store: StageStore) -> None:
    result = make_stage("pass-2")
    folder = publish(store, result)
    torch.save(make_weights(), folder / "model.safetensors")
    with pytest.raises(StageDamagedError, match="a stage's weights must be readable"):
        store.load_weights(PASS_2, result.key)


@pytest.mark.parametrize("step", ["save", "pq.write_table", "np.save", "digest", "publish_folder"])
def test_a_failing_publish_leaves_nothing(
    store: StageStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    target = "autohier.files.os.fsync" if step == "publish_folder" else f"{store_module.__name__}.{step}"
    result = make_stage("pass-2")
    with monkeypatch.context() as patch:
        patch.setattr(target, full)
        with pytest.raises(OSError, match="no space left"):
            publish(store, result)
    assert store.find(PASS_2, result.key) is None
    assert [path for path in store.folder.rglob("*") if path.name != "pass-2"] == []
    publish(store, result)
    assert_same(store.find(PASS_2, result.key), result)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_all_files_have_the_mode_that_the_umask_allows(store: StageStore, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        folder = publish(store, make_stage("pass-2"))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == dict.fromkeys(modes, mode)
    assert "model.safetensors" in modes


def test_who_publishes_first_wins(store: StageStore) -> None:
    first = make_stage("prune", 70)
    second = dataclasses.replace(first, seconds=7.0)
    folder = publish(store, first)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    publish(store, second)
    assert_same(store.find(PRUNE, first.key), first)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [first.key]


def test_writers_and_readers_of_one_key_see_whole_stages_of_one_writer(store: StageStore) -> None:
    stage = make_stage("prune")
    key = stage.key
    contents = [dataclasses.replace(stage, seconds=float(n)) for n in range(6)]
    with ThreadPoolExecutor(12) as threads:
        finding = [threads.submit(store.find, PRUNE, key) for _ in range(3)]
        writing = [threads.submit(publish, store, content) for content in contents]
        finding += [threads.submit(store.find, PRUNE, key) for _ in range(3)]
        for future in writing:
            future.result()
    found = store.find(PRUNE, key)
    assert found is not None
    assert found.seconds in [content.seconds for content in contents]
    seen = [result for future in finding if (result := future.result()) is not None]
    assert {result.seconds for result in seen} <= {found.seconds}
    assert not (store.folder / "quarantine").exists()


def flip(position: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(position * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return damage


def resize(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes((2 * content)[: int(share * len(content))])

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    "first bit": flip(0.0),
    "a bit within": flip(0.6),
    "last bit": flip(1.0),
    "cut short": resize(0.5),
    "empty": resize(0.0),
    "longer": resize(1.5),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_stage_is_set_aside_and_can_be_published_again(
    store: StageStore, caplog: pytest.LogCaptureFixture, name: str, damage: Callable[[Path], None]
) -> None:
    result = make_stage("pass-2")
    folder = publish(store, result)
    damage(folder / name)
    assert_set_aside(store, result, caplog)
    publish(store, result)
    assert_same(store.find(PASS_2, result.key), result)


CHANGES: dict[str, Callable[[dict[str, object]], object]] = {
    "another accuracy": lambda stage: _changed(stage, stack_accuracies=[1.0, 1.0, 1.0]),
    "another key": lambda stage: _changed(stage, key="0" * 64),
    "not a number": lambda stage: _changed(stage, seconds=float("nan")),
    "no digest": lambda stage: {"stage": stage["stage"]},
    "another digest": lambda stage: stage | {"sha256": "0" * 64},
    "no files": lambda stage: {key: value for key, value in stage.items() if key != "stage"},
    "no description": lambda stage: stage | {"stage": None},
    "files in a list": lambda stage: _changed(stage, files=list(FILES)),
    "a list": lambda stage: [stage],
    "null": lambda _: None,
    "a number": lambda _: 7,
}


def _changed(stage: dict[str, object], **changes: object) -> dict[str, object]:
    description = stage["stage"]
    assert isinstance(description, dict)
    return stage | {"stage": description | changes}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_description_is_set_aside(
    store: StageStore, caplog: pytest.LogCaptureFixture, change: Callable[[dict[str, object]], object]
) -> None:
    result = make_stage("pass-2")
    path = publish(store, result) / "stage.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    assert_set_aside(store, result, caplog)


def assert_set_aside(store: StageStore, result: StageResult, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert store.find(result.kind, result.key) is None
    (warning,) = caplog.records
    (aside,) = (store.folder / "quarantine").iterdir()
    assert warning.levelno == logging.WARNING
    assert str(aside) in warning.getMessage()
    assert "will be trained again" in warning.getMessage()
    assert aside.name.startswith(f"{result.kind.name}-{result.key}")
    assert not (store.folder / result.kind.name / result.key).exists()


def test_a_stage_that_another_process_sets_aside_first_is_just_not_there(
    store: StageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_stage("pass-2")
    folder = publish(store, result)
    (folder / "confusion.npy").unlink()
    rename = Path.rename

    def after_another(path: Path, target: Path) -> Path:
        rename(path, target.with_name("theirs"))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", after_another)
    assert store.find(PASS_2, result.key) is None
    assert [path.name for path in (store.folder / "quarantine").iterdir()] == ["theirs"]


def test_a_stage_that_cannot_be_read_now_is_not_moved_to_quarantine(
    store: StageStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    result = make_stage("pass-2")
    publish(store, result)

    def too_many(_: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(store_module, "digest_file", too_many)
        assert store.find(PASS_2, result.key) is None
        assert "cannot read the stage" in caplog.text
    assert_same(store.find(PASS_2, result.key), result)
    assert not (store.folder / "quarantine").exists()


class TestLoadingIntoANetwork:
    @pytest.fixture
    def stage(self, store: StageStore) -> StageResult:
        """A stage that holds a convolution, its mask and a head."""
        result = make_stage("pass-1")
        weights = {**nn.Conv1d(2, 3, 1).state_dict(prefix="conv."), "heads.last.bias": torch.ones(4)}
        store.publish(result, fake_inputs(result), weights | {"alive.conv": torch.ones(3)})
        return result

    def network(self, **others: nn.Module) -> nn.Module:
        return nn.ModuleDict({"conv": nn.Conv1d(2, 3, 1), **others})

    def test_all_that_it_has_is_loaded_and_all_that_is_held_is_reported(
        self, store: StageStore, stage: StageResult
    ) -> None:
        network = self.network()
        tensors = store.load_into(network, PASS_1, stage.key)
        assert sorted(tensors) == ["alive.conv", "conv.bias", "conv.weight", "heads.last.bias"]
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, tensors[name])

    def test_what_may_be_new_stays_as_it_is(self, store: StageStore, stage: StageResult) -> None:
        network = self.network(heads=nn.ModuleDict({"first": nn.Linear(2, 2)}))
        before = network.state_dict()["heads.first.weight"].clone()
        tensors = store.load_into(network, PASS_1, stage.key, but="heads.")
        assert torch.equal(network.state_dict()["heads.first.weight"], before)
        assert torch.equal(network.state_dict()["conv.bias"], tensors["conv.bias"])

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param({"renamed": nn.Conv1d(2, 3, 1)}, id="another name"),
            pytest.param({"conv": nn.Conv1d(2, 4, 1)}, id="another shape"),
            pytest.param({"heads": nn.ModuleDict({"last": nn.Linear(2, 5)})}, id="another head of its name"),
        ],
    )
    def test_another_network_s_stage_is_set_aside(
        self,
        store: StageStore,
        stage: StageResult,
        caplog: pytest.LogCaptureFixture,
        other: dict[str, nn.Module],
    ) -> None:
        network = self.network(**other)
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        with pytest.raises(
            StageDamagedError, match=r"must hold all tensors of its network, but got no match"
        ):
            store.load_into(network, PASS_1, stage.key, but="heads.")
        assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
        assert "will be trained again" in caplog.text
        assert store.find(PASS_1, stage.key) is None
