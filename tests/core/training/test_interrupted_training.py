"""Training that is interrupted and continued from its checkpoint ends in the same bits as without a break."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from autohier.core.hierarchy import Hierarchy
from autohier.core.training import checkpoint as checkpoints
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.devices import open_device
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.optimizers import adam
from autohier.core.training.schedules import (
    one_cycle,
)
from support.fakes.fake_data_loader import FakeDataLoader
from support.fuzz.places import PLACES
from support.networks.small_recognizers import CASES, build_small, small_batch
from support.networks.two_inputs import build_two_inputs, two_input_clips
from support.training.replica_work import TWO_INPUTS
from support.training.small_training import (
    EPOCHS,
    SCHEDULES,
    CutShortError,
    Epochs,
    TwoLayers,
    cut,
    run,
    untimed,
)


def assert_same_weights(found: nn.Module, expected: nn.Module) -> None:
    ours, theirs = found.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("cuts", [(0,), (1,), (2,), (3,), (0, 2), (1, 2, 3)])
def test_it_ends_in_the_same_bits(tmp_path: Path, schedule: str, cuts: tuple[int, ...]) -> None:
    whole, network = TwoLayers(), TwoLayers()
    expected = run(whole, schedule)
    for last in cuts:
        cut(EpochCheckpoint(tmp_path / "epochs"), last, schedule)
    checkpoint, epochs = EpochCheckpoint(tmp_path / "epochs"), Epochs()

    history = run(network, schedule, checkpoint, epochs)

    assert untimed(history) == untimed(expected)
    assert_same_weights(network, whole)
    # No finished epoch is trained again.
    assert checkpoint.num_restored == cuts[-1] + 1
    assert epochs.reported == [(epoch, epoch <= cuts[-1]) for epoch in range(EPOCHS)]
    assert len({metrics.learning_rate for metrics in history}) > 1


@pytest.mark.parametrize("name", [*CASES, TWO_INPUTS])
def test_every_recognizer_ends_in_the_same_bits_in_its_own_memory_order(tmp_path: Path, name: str) -> None:
    device = open_device("cpu", precision="float32", deterministic=True, compile_network=False, num_threads=1)
    levels = (0, 0, 0, 0, 1, 1, 1), (0, 0, 1, 1, 2, 2, 2), tuple(range(7))
    loss = HierarchicalLoss(Hierarchy(levels), (0.5, 0.5, 1.0), torch.device("cpu"))

    def train_recognizer(
        last: int | None = None, path: Path | None = None
    ) -> tuple[nn.Module, list[EpochMetrics]]:
        built = build_two_inputs() if name == TWO_INPUTS else build_small(name)
        network, loader = device.prepare(built), FakeDataLoader([0.0, 0.0], [3, 6], batch_size=2)
        loader.points = two_input_clips(2) if name == TWO_INPUTS else small_batch(name)
        history = train(
            network,
            loader,  # type: ignore[arg-type]
            loss,
            epochs=3,
            optimizer=partial(adam, learning_rate=1e-3),
            schedule=one_cycle,
            seed=0,
            on_epoch=Epochs(last),
            checkpoint=EpochCheckpoint(path) if path else None,
        )
        return network, untimed(history)

    whole, expected = train_recognizer()
    with pytest.raises(CutShortError, match="cut short"):
        train_recognizer(1, tmp_path / "epochs")
    continued, history = train_recognizer(None, tmp_path / "epochs")
    assert history == expected
    assert_same_weights(continued, whole)


def test_it_restarts_where_the_checkpoint_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = EpochCheckpoint(tmp_path / "epochs")
    cut(checkpoint, 1)
    content = bytearray(checkpoint.path.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.path.write_bytes(content)

    assert untimed(run(TwoLayers(), checkpoint=checkpoint)) == untimed(run(TwoLayers()))
    assert checkpoint.num_restored == 0
    assert "cannot use the epoch checkpoint epochs: an epoch checkpoint must match its digest" in caplog.text


def test_it_restarts_where_the_checkpoint_is_of_another_network(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = EpochCheckpoint(tmp_path / "epochs")
    cut(checkpoint, 1, network=TwoLayers(features=4))

    assert untimed(run(TwoLayers(), checkpoint=checkpoint)) == untimed(run(TwoLayers()))
    assert checkpoint.num_restored == 0
    assert "an epoch checkpoint must hold the tensors of its network; its stage restarts" in caplog.text


def test_it_restarts_where_the_checkpoint_is_of_another_stage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, checkpoint = EpochCheckpoint(tmp_path / "others"), EpochCheckpoint(tmp_path / "epochs")
    cut(other, 1)
    other.path.rename(checkpoint.path)

    assert untimed(run(TwoLayers(), checkpoint=checkpoint)) == untimed(run(TwoLayers()))
    assert checkpoint.num_restored == 0
    assert (
        "an epoch checkpoint must name the stage of its file, but got others; its stage restarts"
        in caplog.text
    )


@pytest.mark.parametrize("place", ["a folder", "a pipe", "a link to itself", "a link to endless zeros"])
def test_something_else_in_place_of_a_checkpoint_costs_the_checkpoint_only(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = EpochCheckpoint(tmp_path / "epochs")
    PLACES[place](checkpoint.path)

    assert untimed(run(TwoLayers(), checkpoint=checkpoint)) == untimed(run(TwoLayers()))
    assert "cannot use the epoch checkpoint epochs: " in caplog.text
    checkpoint.remove()
    assert not checkpoint.path.is_symlink()
    assert not checkpoint.path.exists()


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_atomically", refuse)
    checkpoint = EpochCheckpoint(tmp_path / "epochs")

    assert untimed(run(TwoLayers(), checkpoint=checkpoint)) == untimed(run(TwoLayers()))
    assert not checkpoint.path.exists()
    assert "cannot write the checkpoint of epoch 1" in caplog.text
    assert "No space left on device" in caplog.text
