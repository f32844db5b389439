"""What every recognizer must hold to once it is pruned and compacted; a new one is one line in CASES.

Legend: F filters of one convolution.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from autohier.core.pruning import FilterMasks, compact, load_compacted, measure_cost
from autohier.models import build_recognizer
from autohier.models.build import RECOGNIZERS
from autohier.models.hierarchical import HierarchicalRecognizer

CASES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "inflated-resnet18": ({"width": 0.125}, (3, 2, 16, 16)),
    "inflated-resnet34": ({"width": 0.125, "in_channels": 1}, (1, 1, 16, 16)),
    "inflated-resnet50": ({"width": 0.125}, (3, 1, 16, 16)),
    "inflated-resnet101": ({"width": 0.0625}, (3, 1, 16, 16)),
}
"""Options and the shape of a clip."""
RATIOS = {"some of all": (0.1, 0.3, 0.5, 0.7), "all of some": (0.0, 0.3, 0.9, 1.0)}
"""Shares of the filters that die, one of them drawn for each layer."""


@dataclass(frozen=True)
class Pruned:
    name: str
    masked: HierarchicalRecognizer
    compacted: HierarchicalRecognizer
    shape: tuple[int, ...]
    died_out: bool
    """Whether some layers may have no filter left."""


def build(name):
    return build_recognizer(name, num_classes=7, superclasses=(2, 3), seed=3, **CASES[name][0])


def lived_in(network, generator):
    """Statistics and affines of batch norms that are not their starting ones."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.running_mean, module.bias.data):
                torch.nn.init.normal_(tensor, std=0.1, generator=generator)
            for tensor in (module.running_var, module.weight.data):
                torch.nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
    return network.eval()


def random_masks(network, ratios, seed):
    generator = torch.Generator().manual_seed(seed)
    alive = {}
    for each in network.recognizer.prunable_filters():
        ratio = ratios[int(torch.randint(len(ratios), (), generator=generator))]
        alive[each.name] = torch.rand(len(each.convolution.weight), generator=generator) >= ratio
        alive[each.name][0] |= ratio < 1
    return FilterMasks(alive)


@pytest.fixture(scope="module", params=[(name, ratios) for name in CASES for ratios in RATIOS], ids=str)
def pruned(request):
    name, ratios = request.param
    seed = list(RATIOS).index(ratios)
    network = lived_in(build(name), torch.Generator().manual_seed(seed))
    random_masks(network, RATIOS[ratios], seed).apply(network.recognizer.prunable_filters())
    shape = CASES[name][1]
    return Pruned(name, network, compact(network, shape), shape, ratios == "all of some")


def outputs(network, shape):
    clips = torch.randn((2, *shape), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.cat(network(clips), dim=1)


def assert_same_state(one, other):
    before, after = one.state_dict(), other.state_dict()
    assert list(before) == list(after)
    assert all(before[name].equal(after[name]) for name in before)
    assert repr(one) == repr(other)


def test_every_recognizer_is_under_contract():
    assert set(CASES) == set(RECOGNIZERS)


def test_outputs_stay(pruned):
    before, after = outputs(pruned.masked, pruned.shape), outputs(pruned.compacted, pruned.shape)
    assert (before - after).abs().max() <= 1e-5 * before.abs().max()


def test_it_costs_what_was_told_of_the_masked_one(pruned):
    cost = measure_cost(pruned.masked, pruned.shape)
    assert measure_cost(pruned.compacted, pruned.shape) == cost
    held = sum(parameter.numel() for parameter in pruned.compacted.parameters())
    # Where a layer died out, one of its filters is still there.
    assert held > cost.parameters if pruned.died_out else held == cost.parameters


def test_compacting_twice_changes_nothing(pruned):
    assert_same_state(compact(pruned.compacted, pruned.shape), pruned.compacted)


def test_it_is_rebuilt_from_its_tensors_alone(pruned, tmp_path):
    save_file(pruned.compacted.state_dict(), tmp_path / "compacted.safetensors")
    rebuilt = build(pruned.name).eval()
    load_compacted(rebuilt, load_file(tmp_path / "compacted.safetensors"))
    assert_same_state(rebuilt, pruned.compacted)
    assert outputs(rebuilt, pruned.shape).equal(outputs(pruned.compacted, pruned.shape))


@pytest.mark.parametrize("name", CASES)
def test_an_unpruned_one_stays_as_it_is(name):
    network = lived_in(build(name), torch.Generator().manual_seed(0))
    before = copy.deepcopy(network)
    compacted = compact(network, CASES[name][1])
    assert_same_state(compacted, before)
    assert_same_state(network, before)
