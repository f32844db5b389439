"""The contract of pruned and compacted recognizers, checked on every recognizer."""

import copy
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file, save_file

from autohier.core.pruning import FilterMasks, compact, load_compacted, measure_cost
from autohier.core.pruning.liveness import trace_liveness
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.layers import filter_rows
from autohier.testing.recognizers import imitate_training
from support.networks.small_recognizers import (
    CASES,
    build_small,
    randomise_norms,
    small_batch,
    small_recognizer,
)

RATIOS = {"some filters of all layers": (0.1, 0.2, 0.4), "all filters of some layers": (0.0, 0.3, 0.9, 1.0)}
"""Shares of the filters to zero; one share is sampled for each layer."""


@dataclass(frozen=True)
class Pruned:
    name: str
    masked: HierarchicalRecognizer
    compacted: HierarchicalRecognizer
    has_dead_layers: bool
    """True if some layers read or write no live channel, e.g. a branch of dead channels only."""

    @property
    def shape(self):
        return small_recognizer(self.name).clip_shape


def random_masks(filters, ratios):
    """Return random masks with at least one alive filter in every layer, except in layers of ratio 1."""
    generator = torch.Generator().manual_seed(0)
    alive = {}
    for each in filters:
        ratio = ratios[int(torch.randint(len(ratios), (), generator=generator))]
        alive[each.name] = torch.rand(len(filter_rows(each.convolution)), generator=generator) >= ratio
        alive[each.name][0] |= ratio < 1
    return FilterMasks(alive)


@pytest.fixture(scope="module", params=[(name, ratios) for name in CASES for ratios in RATIOS], ids=str)
def pruned(request):
    name, ratios = request.param
    network = imitate_training(build_small(name), small_batch(name)).eval()
    filters = network.recognizer.prunable_filters()
    random_masks(filters, RATIOS[ratios]).apply(filters)
    shape = small_recognizer(name).clip_shape
    uses = trace_liveness(network, shape).uses
    has_dead_layers = any(not use.read_C.any() or not use.kept_F.any() for use in uses)
    assert has_dead_layers or ratios == "some filters of all layers"
    return Pruned(name, network, compact(network, shape), has_dead_layers)


@torch.no_grad()
def outputs(network, name):
    return torch.cat(network(small_batch(name)), dim=1)


def assert_same_state(one, other):
    before, after = one.state_dict(), other.state_dict()
    assert list(before) == list(after)
    assert all(before[name].equal(after[name]) for name in before)
    assert repr(one) == repr(other)


def test_outputs_do_not_change(pruned):
    before, after = outputs(pruned.masked, pruned.name), outputs(pruned.compacted, pruned.name)
    assert (before - after).abs().max() <= 1e-5 * before.abs().max()


def test_its_cost_is_that_of_the_masked_network(pruned):
    cost = measure_cost(pruned.masked, pruned.shape)
    assert measure_cost(pruned.compacted, pruned.shape) == cost
    # A dead layer keeps one filter, which has a cost.
    actual = measure_cost(pruned.masked, pruned.shape, multiple=1)
    assert sum(parameter.numel() for parameter in pruned.compacted.parameters()) == actual.parameters
    assert actual.parameters > cost.parameters if pruned.has_dead_layers else actual == cost


def test_compacting_twice_changes_nothing(pruned):
    assert_same_state(compact(pruned.compacted, pruned.shape), pruned.compacted)


def test_it_is_rebuilt_from_its_tensors(pruned, tmp_path):
    save_file(pruned.compacted.state_dict(), tmp_path / "compacted.safetensors")
    rebuilt = build_small(pruned.name).eval()
    load_compacted(rebuilt, load_file(tmp_path / "compacted.safetensors"))
    assert_same_state(rebuilt, pruned.compacted)
    assert outputs(rebuilt, pruned.name).equal(outputs(pruned.compacted, pruned.name))


@pytest.mark.parametrize("name", CASES)
def test_an_unpruned_recognizer_does_not_change(name):
    network = randomise_norms(build_small(name)).eval()
    before = copy.deepcopy(network)
    compacted = compact(network, small_recognizer(name).clip_shape)
    assert_same_state(compacted, before)
    assert_same_state(network, before)
