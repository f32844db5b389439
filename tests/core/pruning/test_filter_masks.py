from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autohier.core.pruning import FilterMasks, choose_filters
from autohier.models.recognizer import PassedOn, PrunableFilters


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv3d(2, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(6)
        self.conv2 = nn.Conv3d(6, 4, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(4)
        with torch.no_grad():
            for norm in (self.bn1, self.bn2):
                norm.weight.uniform_(0.5, 1.5)
                norm.bias.uniform_(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.bn2(self.conv2(self.first(x).relu()))
        return hidden

    def first(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.bn1(self.conv1(x))
        return hidden

    def prunable(self) -> list[PrunableFilters]:
        return [
            PrunableFilters("conv1", self.conv1, self.bn1),
            PrunableFilters("conv2", self.conv2, self.bn2),
        ]


MASKS = FilterMasks(
    {"conv1": torch.tensor([1, 0, 1, 1, 0, 1]).bool(), "conv2": torch.tensor([1, 1, 1, 1]).bool()}
)
DEAD = [1, 4]
ALIVE = [0, 2, 3, 5]


def test_dead_filters_and_their_affine_are_zeroed_and_nothing_else() -> None:
    network = TwoLayers()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    MASKS.apply(network.prunable())
    for name, value in network.state_dict().items():
        if name in {"conv1.weight", "bn1.weight", "bn1.bias"}:
            assert not value[DEAD].any()
            assert value[ALIVE].equal(before[name][ALIVE])
        else:
            assert value.equal(before[name])


def test_a_second_norm_is_zeroed_only_at_channels_of_dead_filters() -> None:
    network, shared = TwoLayers(), nn.BatchNorm3d(5)
    # Filters 3 to 5 are channels 1 to 3 of the second norm: of the dead filters 1 and 4, 4 is channel 2.
    (first, second), then = network.prunable(), PassedOn(shared, first_channel=1, first_filter=3)
    MASKS.apply([replace(first, passed_on=then), second])
    assert shared.weight.tolist() == [1, 1, 0, 1, 1]
    shared.bias.data.fill_(7.0)
    MASKS.apply([replace(first, passed_on=then), second])
    assert shared.bias.tolist() == [7, 7, 0, 7, 7]


@pytest.mark.parametrize("training", [True, False])
def test_a_dead_filter_outputs_zero(training: bool) -> None:
    network = TwoLayers().train(training)
    clips = torch.randn(3, 2, 4, 5, 5)
    network.bn1.running_mean = torch.full((6,), 0.3)
    MASKS.apply(network.prunable())
    out = network.first(clips)
    assert not out[:, DEAD].any()
    assert out[:, ALIVE].abs().amin(dim=(0, 2, 3, 4)).all()


def test_filters_stay_dead_through_retraining() -> None:
    # Momentum and weight decay would both change a filter that is zeroed only once.
    network = TwoLayers()
    filters = network.prunable()
    masks = FilterMasks(
        choose_filters(filters, FilterMasks.all_alive(filters).alive, ratio=0.5, scope="layerwise")
    )
    masks.apply(filters)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.randn(3, 2, 4, 5, 5)).pow(2).mean().backward()
        optimizer.step()
        masks.apply(filters)
    alive_now = [each.convolution.weight.flatten(1).any(dim=1).tolist() for each in filters]
    assert alive_now == [masks.alive[each.name].tolist() for each in filters]
    assert not network.bn1.weight[~masks.alive["conv1"]].any()
    assert not network.bn1.bias[~masks.alive["conv1"]].any()


def test_apply_works_in_place_without_a_gradient_graph() -> None:
    network = TwoLayers()
    address = network.conv1.weight.data_ptr()
    MASKS.apply(network.prunable())
    assert network.conv1.weight.requires_grad
    assert network.conv1.weight.is_leaf
    assert network.conv1.weight.data_ptr() == address


def test_indices_of_dead_filters_are_computed_once_per_device(monkeypatch: pytest.MonkeyPatch) -> None:
    network = TwoLayers()
    masks = FilterMasks(dict(MASKS.alive))
    masks.apply(network.prunable())
    monkeypatch.setattr(Tensor, "nonzero", None)
    monkeypatch.setattr(Tensor, "to", None)
    masks.apply(network.prunable())


def test_all_alive_changes_nothing() -> None:
    network = TwoLayers()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    masks = FilterMasks.all_alive(network.prunable())
    masks.apply(network.prunable())
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert all(mask_F.all() for mask_F in masks.alive.values())
    assert sum(map(len, masks.alive.values())) == 10


def test_masks_survive_safetensors(tmp_path: Path) -> None:
    save_file(MASKS.to_state(), tmp_path / "masks.safetensors")
    masks = FilterMasks(load_file(tmp_path / "masks.safetensors"))
    assert {name: mask.tolist() for name, mask in masks.alive.items()} == {
        name: mask.tolist() for name, mask in MASKS.alive.items()
    }


def test_a_layer_without_a_mask_is_an_error() -> None:
    with pytest.raises(KeyError, match="conv2"):
        FilterMasks({"conv1": MASKS.alive["conv1"]}).apply(TwoLayers().prunable())


def test_a_norm_after_several_convolutions_is_zeroed_at_the_channels_of_one() -> None:
    convolution = nn.Conv2d(2, 3, 1)
    norm = nn.BatchNorm2d(8)
    with torch.no_grad():
        norm.bias.fill_(1.0)
    masks = FilterMasks({"branch": torch.tensor([1, 0, 1]).bool()})
    masks.apply([PrunableFilters("branch", convolution, norm, first_channel=4)])
    assert convolution.bias is not None
    # Filter 1 of the convolution is channel 5 of the norm.
    assert norm.weight.tolist() == norm.bias.tolist() == [1, 1, 1, 1, 1, 0, 1, 1]
    assert [bool(value) for value in convolution.bias] == [True, False, True]
    assert [bool(rows.any()) for rows in convolution.weight] == [True, False, True]
