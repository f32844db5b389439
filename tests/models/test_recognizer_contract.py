"""What every recognizer must hold to; see also core/pruning/test_compacted_recognizers.py.

Legend: B clips, C channels, F filters of one convolution.
"""

import pytest
import torch
from torch import nn

from autohier.core.pruning import FilterMasks
from autohier.core.training.devices import open_device
from autohier.models.build import RECOGNIZERS
from small_recognizers import CASES, build_small, small_batch, with_lived_in_norms


@pytest.fixture(params=CASES)
def case(request):
    return build_small(request.param), small_batch(request.param)


def test_every_recognizer_is_under_contract():
    assert set(CASES) == set(RECOGNIZERS)


def test_one_feature_per_stack_with_the_channels_it_says(case):
    network, batch = case
    features = network.recognizer.forward_stacks(batch)
    assert [tuple(feature.shape) for feature in features] == [
        (len(batch), channels) for channels in network.recognizer.stack_channels
    ]


def test_one_score_per_output_of_every_headed_stack(case):
    network, batch = case
    assert network.num_outputs == (2, 3, 7)
    assert [tuple(scores.shape) for scores in network(batch)] == [(2, 2), (2, 3), (2, 7)]


def test_prunable_filters_are_named_by_their_paths_each_once(case):
    recognizer = case[0].recognizer
    filters = recognizer.prunable_filters()
    assert len({each.name for each in filters}) == len(filters) > 0
    for each in filters:
        assert recognizer.get_submodule(each.name) is each.convolution
        assert each.convolution.out_channels == len(each.convolution.weight)
        assert 0 <= each.first_channel <= each.norm.num_features - each.convolution.out_channels


def test_all_convolutions_but_the_stem_are_prunable_in_the_order_of_the_modules(case):
    recognizer = case[0].recognizer
    convolutions = [
        name
        for name, module in recognizer.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and name != "conv1"
    ]
    assert [each.name for each in recognizer.prunable_filters()] == convolutions


def test_each_norm_reads_what_its_convolution_wrote(case):
    network, batch = case
    written, read = {}, {}
    for each in network.recognizer.prunable_filters():
        each.convolution.register_forward_hook(lambda _, __, out, name=each.name: written.update({name: out}))
        each.norm.register_forward_hook(lambda _, args, __, name=each.name: read.update({name: args[0]}))
    network(batch)
    assert len(written) == len(network.recognizer.prunable_filters())
    for each in network.recognizer.prunable_filters():
        out = written[each.name]
        assert torch.equal(read[each.name][:, each.first_channel :][:, : out.shape[1]], out)


@pytest.mark.parametrize("training", [True, False])
def test_a_zeroed_filter_writes_zeros_whatever_its_running_statistics(case, training):
    network, batch = case
    with_lived_in_norms(network).train(training)
    seen = []
    filters = network.recognizer.prunable_filters()
    dead = {
        each.name: torch.arange(len(each.convolution.weight)) == len(each.convolution.weight) - 1
        for each in filters
    }
    FilterMasks({name: ~dead_F for name, dead_F in dead.items()}).apply(filters)
    for each in filters:
        # Cloned because activations are computed in place.
        each.norm.register_forward_hook(
            lambda _, __, out, each=each: seen.append((each, out.detach().clone()[:, each.first_channel :]))
        )
    network(batch)
    for each, out in seen:
        num_filters = len(each.convolution.weight)
        assert (out[:, num_filters - 1] == 0).all()
        assert num_filters == 1 or (out[:, 0] != 0).any()
    assert {each.name for each, _ in seen} == set(dead)


def test_gradients_reach_every_parameter(case):
    # In evaluation: in training a norm takes off what a bias before it adds, and its gradient is zero.
    network, batch = case
    with_lived_in_norms(network).eval()
    sum(scores.square().mean() for scores in network(batch)).backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


def test_the_classes_alone_train_all_stacks(case):
    network, batch = case
    network(batch)[-1].square().mean().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    of_superclasses = list(network.heads)[:-1]
    assert without == [f"heads.{stack}.{part}" for stack in of_superclasses for part in ("weight", "bias")]


@torch.no_grad()
def test_evaluation_gives_the_same_bits_again_and_changes_nothing(case):
    network, batch = case
    with_lived_in_norms(network).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, second = network(batch), network(batch)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@torch.no_grad()
def test_in_evaluation_a_clip_does_not_depend_on_the_others(case):
    network, batch = case
    with_lived_in_norms(network).double().eval()
    batch = batch.double()
    together, alone = network(batch), network(batch[:1])
    for scores_BS, scores_1S in zip(together, alone, strict=True):
        torch.testing.assert_close(scores_BS[:1], scores_1S, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_memory_order_does_not_change_the_scores(case):
    network, batch = case
    with_lived_in_norms(network).double().eval()
    contiguous = network(batch.double())
    device = open_device("cpu", precision="float32", deterministic=True, compile_network=False, num_threads=1)
    moved = device.prepare(network)(batch.double().to(memory_format=torch.channels_last_3d))
    for one, other in zip(contiguous, moved, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
