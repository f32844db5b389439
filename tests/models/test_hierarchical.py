"""Heads on the features of a recognizer: names, features, initial weights, dropout."""

import pytest
import torch

from autohier.core.pruning import compact, measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer, count_parameters
from autohier.models.hierarchical import head_features


def build(superclasses, heads, **options):
    return build_recognizer(
        "inflated-resnet18", num_classes=6, superclasses=superclasses, heads=heads, width=0.125, **options
    )


@pytest.mark.parametrize(
    ("num_heads", "placement", "features"),
    [(1, "stacks", (3,)), (3, "stacks", (1, 2, 3)), (1, "last", (3,)), (6, "last", (3,) * 6)],
)
def test_features_of_the_heads(num_heads, placement, features):
    assert head_features(num_heads, 4, placement) == features


@pytest.mark.parametrize(("num_heads", "placement"), [(0, "stacks"), (5, "stacks"), (0, "last")])
def test_numbers_of_heads_that_a_recognizer_cannot_carry_are_refused(num_heads, placement):
    with pytest.raises(InputError, match=f"of 4 stacks carries 1 to 4 heads, but got {num_heads}"):
        head_features(num_heads, 4, placement)


def test_heads_of_one_feature_are_named_by_stack_and_level():
    network = build((2, 3), "last", seed=0)
    sizes = {name: (head.in_features, head.out_features) for name, head in network.heads.items()}
    # 512 channels at width 1/8.
    assert sizes == {"stack4_level1": (64, 2), "stack4_level2": (64, 3), "stack4": (64, 6)}
    assert list(network.heads) == list(sizes)
    assert network.features == (3, 3, 3)


def test_a_seed_gives_the_same_recognizer_and_class_head_for_every_placement():
    flat, diagonal, multi_task = (
        build(superclasses, heads, seed=4).state_dict()
        for superclasses, heads in (((), "last"), ((2, 3), "stacks"), ((2, 3), "last"))
    )
    assert set(multi_task) - set(flat) == {
        f"heads.stack4_level{level}.{part}" for level in (1, 2) for part in ("weight", "bias")
    }
    for name, tensor in flat.items():
        assert torch.equal(multi_task[name], tensor)
        assert torch.equal(diagonal[name], tensor)


@torch.no_grad()
def test_all_heads_score_the_last_feature():
    network = build((2, 3, 4, 5), "last", seed=0).eval()
    batch = torch.randn(2, 3, 2, 32, 32)
    last_BC = network.recognizer.forward_stacks(batch)[-1]
    names = [*(f"stack4_level{level}" for level in (1, 2, 3, 4)), "stack4"]
    for scores_BS, name in zip(network(batch), names, strict=True):
        head = network.heads[name]
        torch.testing.assert_close(scores_BS, last_BC @ head.weight.T + head.bias)


@torch.no_grad()
def test_heads_of_one_feature_see_the_same_channels_after_dropout():
    network = build((6,), "last", seed=0)
    network.dropout.p = 0.5
    for part in ("weight", "bias"):
        getattr(network.heads["stack4_level1"], part).copy_(getattr(network.heads["stack4"], part))
    network.recognizer.eval()
    batch = torch.randn(2, 3, 2, 32, 32)
    one, other = network(batch)
    assert torch.equal(one, other)
    assert not torch.equal(one, network(batch)[0])


def test_parameters_and_cost_count_all_heads():
    network = build((2, 3), "last", seed=0)
    flat = build((), "stacks", seed=0)
    added = 64 * (2 + 3) + 2 + 3
    num_flat = sum(parameter.numel() for parameter in flat.parameters())
    assert sum(parameter.numel() for parameter in network.parameters()) == num_flat + added
    counted = count_parameters(
        "inflated-resnet18", num_classes=6, superclasses=(2, 3), heads="last", width=0.125
    )
    assert counted == num_flat + added
    cost, flat_cost = (measure_cost(each, (3, 2, 32, 32)) for each in (network, flat))
    assert cost.multiply_adds == flat_cost.multiply_adds + 64 * (2 + 3)


@torch.no_grad()
def test_a_compacted_network_keeps_its_heads():
    network = build((2, 3), "last", seed=0).eval()
    each = network.recognizer.prunable_filters()[3]
    for parameter in (each.convolution.weight, each.norm.weight, each.norm.bias):
        parameter[:4] = 0.0
    compacted = compact(network, (3, 2, 32, 32))
    batch = torch.randn(2, 3, 2, 32, 32)
    for one, other in zip(network(batch), compacted(batch), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
