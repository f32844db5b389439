"""P-I3D: published counts, plain references of LSTM and attention, members, options."""

import pytest
import torch
from torch import nn

from autohier.config.trial.clips import PartsSkeletonsClips
from autohier.config.trial.recognizers import PartAttentionSettings
from autohier.core.pruning import FilterMasks, compact, measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.attention.part_attention import PartAttention, part_attention
from autohier.models.attention.pose_lstm import PoseLstm
from autohier.models.convolutional.i3d import I3d
from support.networks.network_counts import millions, on_meta
from support.networks.small_recognizers import small_batch, small_recognizer

NAME = "part-attention-i3d"
PARTS = ("left_hand", "right_hand", "body")
PUBLISHED_HEAD = 86_760
"""Weights and biases of P-I3D's head for 60 classes: a 1x1x1 convolution and a dense layer on 7 steps."""
SMALL = {"width": 0.03, "pose_width": 8, "layout": "coco-17", "num_persons": 1}


def test_parameters_are_the_published_ones():
    network = on_meta(NAME).recognizer
    assert millions(network.body) == 12.287
    assert millions(network.pose) == 5.556
    assert millions(network.attention) == 0.066
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert round((parameters + PUBLISHED_HEAD) / 1e6, 2) == 42.57
    assert network.stack_channels == (192, 480, 832, 1024)
    assert on_meta(NAME, aggregation="concat").recognizer.stack_channels == (576, 1440, 2496, 3072)


def test_parameters_of_the_lstm_for_n_ucla_are_the_published_ones():
    with torch.device("meta"):
        assert millions(PoseLstm(layout="kinect-v1-20", num_persons=1, hidden=128)) == 0.36


def lstm_by_hand(layer, x_TN):
    """Return the hidden states of one clip, gate by gate and number by number."""
    size = layer.recur.weight.shape[1]
    hidden, cell, states = [0.0] * size, [0.0] * size, []
    weight, bias, recurrent = layer.read.weight, layer.read.bias, layer.recur.weight
    for x_N in x_TN:
        sums = [
            float(weight[row] @ x_N + bias[row] + recurrent[row] @ torch.tensor(hidden, dtype=x_N.dtype))
            for row in range(4 * size)
        ]
        sigmoid, tanh = (
            (lambda each: float(torch.tensor(each).sigmoid())),
            (lambda each: float(torch.tensor(each).tanh())),
        )
        for index in range(size):
            enter, forget, new, leave = (sums[gate * size + index] for gate in range(4))
            cell[index] = sigmoid(forget) * cell[index] + sigmoid(enter) * tanh(new)
            hidden[index] = sigmoid(leave) * tanh(cell[index])
        states.append(list(hidden))
    return torch.tensor(states, dtype=x_TN.dtype)


@torch.no_grad()
def test_the_lstm_computes_what_the_plain_reference_does():
    torch.manual_seed(0)
    network = PoseLstm(layout="coco-17", num_persons=2, hidden=3, num_layers=2)
    clips = torch.randn(2, 2, 4, 17, 3)
    first, second = network.forward_stacks(clips)
    for index, clip_MTVC in enumerate(clips):
        frames_TN = torch.stack([clip_MTVC[:, frame].flatten() for frame in range(4)])
        below_TH = lstm_by_hand(network.layers[0], frames_TN)
        torch.testing.assert_close(first[index], below_TH[-1], rtol=1e-4, atol=1e-5)
        above_TH = lstm_by_hand(network.layers[1], below_TH)
        torch.testing.assert_close(second[index], above_TH[-1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_lstm_computes_what_torchs_does():
    torch.manual_seed(0)
    network, theirs = PoseLstm(layout="coco-17", num_persons=1, hidden=5), nn.LSTM(51, 5, 3, batch_first=True)
    for index, layer in enumerate(network.layers):
        # torch has the same order of gates, and two biases.
        getattr(theirs, f"weight_ih_l{index}").copy_(layer.read.weight)
        getattr(theirs, f"weight_hh_l{index}").copy_(layer.recur.weight)
        getattr(theirs, f"bias_ih_l{index}").copy_(layer.read.bias)
        getattr(theirs, f"bias_hh_l{index}").zero_()
    clips = torch.randn(2, 1, 6, 17, 3)
    expected = theirs(clips.squeeze(1).flatten(2))[0][:, -1]
    torch.testing.assert_close(network.forward_stacks(clips)[-1], expected)


def test_the_attention_starts_equal():
    network, batch = (
        build_recognizer(NAME, num_classes=3, seed=0, **SMALL).recognizer.eval(),
        small_batch(NAME),
    )
    with torch.no_grad():
        weights_BK = network.attention_weights(batch["skeletons"])
        torch.testing.assert_close(weights_BK, torch.full((2, 3), 1 / 3))
        of_parts = [getattr(network, part).forward_stacks(batch[part]) for part in PARTS]
        for own, features in zip(network.forward_stacks(batch), zip(*of_parts, strict=True), strict=True):
            torch.testing.assert_close(own, torch.stack(features).mean(dim=0))


@torch.no_grad()
@pytest.mark.parametrize("aggregation", ["sum", "concat"])
def test_features_are_those_of_the_parts_weighed(aggregation):
    network = build_recognizer(
        NAME, num_classes=3, seed=0, aggregation=aggregation, **SMALL
    ).recognizer.eval()
    nn.init.normal_(network.attention[-1].weight)
    batch = small_batch(NAME)
    hidden_BH = network.pose.forward_stacks(batch["skeletons"])[-1]
    _, first, _, last = network.attention
    hidden_BA = (hidden_BH @ first.weight.T + first.bias).tanh()
    scores_BK = (hidden_BA @ last.weight.T + last.bias).exp()
    weights_BK = scores_BK / scores_BK.sum(dim=1, keepdim=True)
    assert weights_BK.std() > 0.01
    of_parts = [getattr(network, part).forward_stacks(batch[part]) for part in PARTS]
    for stack, own in enumerate(network.forward_stacks(batch)):
        weighed = [weights_BK[:, [k]] * of_parts[k][stack] for k in range(3)]
        expected = sum(weighed) if aggregation == "sum" else torch.cat(weighed, dim=1)
        torch.testing.assert_close(own, expected)


def test_the_penalty_is_the_mean_over_clips_and_taken_once():
    network = build_recognizer(NAME, num_classes=3, seed=0, attention_penalty=0.5, **SMALL).recognizer
    batch = small_batch(NAME)
    network.eval().forward_stacks(batch)
    assert network.take_auxiliary_loss() is None
    network.train().forward_stacks(batch)
    # Three parts of attention 1/3 each: 3 (1 - 1/3)^2 = 4/3.
    assert network.take_auxiliary_loss().item() == pytest.approx(0.5 * 4 / 3)
    assert network.take_auxiliary_loss() is None
    nn.init.normal_(network.attention[-1].weight)
    network.forward_stacks(batch)
    network.take_auxiliary_loss().backward()
    assert network.pose.layers[0].read.weight.grad.any()


def test_the_cost_counts_every_step_of_the_lstm():
    network = build_recognizer(NAME, num_classes=3, seed=0, member="pose", **SMALL)
    cost = measure_cost(network, {"skeletons": (1, 5, 17, 3)})
    # Each layer reads 5 frames, and its own state 4 times; a head has 8 * 3 weights.
    assert cost.multiply_adds == 32 * (51 + 8 + 8) * 5 + 3 * 32 * 8 * 4 + 8 * 3
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def test_parts_lose_filters_of_their_own_if_concatenated():
    network = build_recognizer(NAME, num_classes=3, seed=0, aggregation="concat", **SMALL).eval()
    filters = network.recognizer.prunable_filters()
    masks = FilterMasks.all_alive(filters).alive
    for name in masks:
        if name.startswith("left_hand.mixed5c"):
            masks[name] = torch.arange(len(masks[name])) < 4
    FilterMasks(masks).apply(filters)
    own = compact(network, small_recognizer(NAME).clip_shape).recognizer
    assert own.left_hand.mixed5c.branch0.conv.out_channels == 4
    assert own.body.mixed5c.branch0.conv.out_channels > 4


@torch.no_grad()
def test_parts_share_the_filters_of_a_sum():
    network = build_recognizer(NAME, num_classes=3, seed=0, **SMALL).eval()
    filters = network.recognizer.prunable_filters()
    masks = FilterMasks.all_alive(filters).alive
    for name in masks:
        if name.endswith("mixed5c.branch0.conv"):
            # The body keeps four filters, the left hand two others, the right hand none.
            kept = {"body": range(4), "left_hand": range(3, 6), "right_hand": range(0)}[name.split(".")[0]]
            masks[name] = torch.tensor([index in kept for index in range(len(masks[name]))])
    FilterMasks(masks).apply(filters)
    own = compact(network, small_recognizer(NAME).clip_shape).recognizer
    for part in PARTS:
        assert getattr(own, part).mixed5c.branch0.conv.out_channels == 6


@pytest.mark.parametrize("member", [*PARTS, "pose"])
def test_a_member_alone_computes_what_it_does_in_the_network(member):
    whole = build_recognizer(NAME, num_classes=3, seed=0, **SMALL).recognizer.eval()
    alone = part_attention(member=member, **SMALL).eval()
    getattr(alone, member).load_state_dict(getattr(whole, member).state_dict())
    name = "skeletons" if member == "pose" else member
    batch = small_batch(NAME)
    expected = getattr(whole, member).forward_stacks(batch[name])
    for own, other in zip(alone.forward_stacks({name: batch[name]}), expected, strict=True):
        assert torch.equal(own, other)
    assert {each.name.split(".")[0] for each in alone.prunable_filters()} <= {member}
    assert {each.split(".")[0] for each in alone.data_tensors()} == {member}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"member": "head"},
            "member must be one of whole, left_hand, right_hand, body, pose, but got 'head'",
        ),
        ({"aggregation": "mean"}, "aggregation must be sum or concat, but got 'mean'"),
        ({"attention_penalty": -1.0}, "attention_penalty must be at least 0"),
        ({"attention_dropout": 1.0}, r"attention_dropout lie in \[0, 1\)"),
        ({"pose_width": 0}, "num_persons, hidden and num_layers must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        part_attention(**(SMALL | options))


def test_parts_must_be_read():
    settings = PartAttentionSettings(name=NAME)
    clips = PartsSkeletonsClips(input="parts+skeletons", parts=("body",))
    assert "needs left_hand, right_hand in clips.parts, but got body" in settings.find_clips_fault(clips)
    assert PartAttentionSettings(name=NAME, member="body").find_clips_fault(clips) == ""
    assert PartAttentionSettings(name=NAME, member="pose").find_clips_fault(clips) == ""


def test_a_member_starts_alone():
    with pytest.raises(
        ValueError, match="a network of body alone has no left_hand; leave start_left_hand out"
    ):
        PartAttentionSettings(name=NAME, member="body", start_left_hand="i3d.pth")


def test_every_part_is_an_i3d():
    network = build_recognizer(NAME, num_classes=3, seed=0, **SMALL).recognizer
    assert isinstance(network, PartAttention)
    assert all(isinstance(getattr(network, part), I3d) for part in PARTS)
