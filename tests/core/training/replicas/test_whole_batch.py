"""Batch norm and dropout compute over ranks what one process computes with the whole batch."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from autohier.core.training.replicas import SOLO, Replicas
from autohier.core.training.replicas.whole_batch import whole_batch_layers
from autohier.errors import InputError
from support.training.rank_pool import RankPool
from support.training.replica_work import PersonDropout, ThreeRows, norm_values, through_layer, through_layers

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "rows": (nn.BatchNorm1d(3), (8, 3)),
    "1d": (nn.BatchNorm1d(3), (7, 3, 5)),
    "2d": (nn.BatchNorm2d(3), (7, 3, 2, 4)),
    "3d": (nn.BatchNorm3d(3), (7, 3, 2, 1, 4)),
    "fewer clips than ranks": (nn.BatchNorm2d(3), (2, 3, 2, 2)),
    "mean of all batches": (nn.BatchNorm2d(3, momentum=None), (7, 3, 2, 4)),
    "not affine": (nn.BatchNorm2d(3, affine=False, momentum=0.4, eps=0.5), (7, 3, 2, 4)),
    "after a layer": (nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Tanh()), (7, 3, 2, 4)),
    "dropout": (nn.Dropout(0.4), (7, 6)),
    "two dropouts": (nn.Sequential(nn.Dropout1d(0.4), nn.Dropout1d(0.4)), (7, 6, 2)),
    "dropout of maps": (nn.Dropout2d(0.4), (7, 6, 2, 3)),
    "dropout of volumes": (nn.Dropout3d(0.4), (7, 6, 2, 3, 2)),
    "dropout in place": (nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.4, inplace=True)), (3, 6)),
    "dropout of persons": (PersonDropout(), (7, 6)),
}


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("width", [2, 4])
def test_layers_compute_as_one_process_does(ranks: RankPool, width: int, parts: int) -> None:
    layers = {
        name: (copy.deepcopy(layer).double(), norm_values(shape)) for name, (layer, shape) in LAYERS.items()
    }
    expected = through_layers(SOLO, copy.deepcopy(layers), parts)
    for found in ranks.run(width, through_layers, layers, parts):
        assert list(found) == list(LAYERS)
        # Values far from 0 cancel in the gradients of a layer before. An error names the layer.
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("width", [2, 3])
def test_masks_are_sampled_in_the_order_of_memory(ranks: RankPool, width: int) -> None:
    values = norm_values((5, 4, 3, 2)).contiguous(memory_format=torch.channels_last)
    expected, *_ = through_layer(SOLO, nn.Dropout(0.5), values)
    for found, *_ in ranks.run(width, through_layer, nn.Dropout(0.5), values):
        assert torch.equal(found, expected)


def test_half_precision_is_normalized_in_float32(ranks: RankPool) -> None:
    # 100 and its neighbors are 0.5 apart in bfloat16: moments in bfloat16 would be far off.
    values = norm_values((6, 3, 8, 8)).bfloat16()
    expected = through_layer(SOLO, nn.BatchNorm2d(3), values)
    for found in ranks.run(2, through_layer, nn.BatchNorm2d(3), values):
        assert found[0].dtype == torch.bfloat16
        torch.testing.assert_close(found[0], expected[0], rtol=0.01, atol=0.01)
        torch.testing.assert_close(found[3], expected[3], rtol=1e-5, atol=1e-5)


def test_a_single_value_of_a_channel_has_no_variance(ranks: RankPool) -> None:
    outcomes = ranks.outcomes(2, through_layer, nn.BatchNorm1d(3), torch.ones(1, 3))
    for outcome in outcomes:
        assert isinstance(outcome, ValueError)
        assert str(outcome) == "Expected more than 1 value per channel when training, got 1"


class TwoRanks:
    """Replicas that must not communicate."""

    rank, width = 0, 2

    def sum_(self, tensor: Tensor) -> Tensor:
        raise AssertionError(tensor)

    def gather(self, rows_R: Tensor) -> Tensor:
        raise AssertionError(rows_R)


TWO_RANKS: Replicas = TwoRanks()


def test_only_forward_methods_are_replaced_and_only_in_the_block() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    before, modules = network.state_dict(), list(network.modules())
    with whole_batch_layers(network, TWO_RANKS):
        assert "forward" in vars(network[1])
        assert "forward" in vars(network[2])
        assert list(network.state_dict()) == list(before)
        assert list(network.modules()) == modules
    assert not any("forward" in vars(module) for module in network.modules())
    pickle.dumps(network)


def test_evaluation_does_not_communicate() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)).eval()
    points = torch.ones(1, 2)
    with whole_batch_layers(network, TWO_RANKS):
        found = network(points)
    assert torch.equal(found, network(points))


def test_one_process_computes_with_torch_alone() -> None:
    network = nn.Sequential(OtherNorm(2), nn.Dropout(0.5))
    with whole_batch_layers(network, SOLO):
        assert not any("forward" in vars(module) for module in network.modules())


class OtherNorm(nn.BatchNorm1d):
    """A batch norm that computes something else."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(input) * 2


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (OtherNorm(2), "must be torch's, but got OtherNorm at 0, with a forward method of its own"),
        (nn.BatchNorm2d(2, track_running_stats=False), "needs running statistics, but got BatchNorm2d at 0"),
        (
            nn.AlphaDropout(),
            "must be a Dropout, .* or Dropout3d, but got AlphaDropout at 0",
        ),
        (nn.RReLU(), "but got RReLU at 0: train this recognizer on one accelerator"),
    ],
)
def test_layers_that_depend_on_the_batch_in_another_way_are_refused(layer: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message), whole_batch_layers(nn.Sequential(layer), TWO_RANKS):
        pass


def test_rows_must_belong_to_clips(ranks: RankPool) -> None:
    # Two clips of a rank become three rows.
    for outcome in ranks.outcomes(
        2, through_layer, nn.Sequential(ThreeRows(), nn.Dropout(0.5)), torch.ones(4, 3)
    ):
        assert isinstance(outcome, InputError)
        assert outcome.got == "3 rows of 2 clips in Dropout"
