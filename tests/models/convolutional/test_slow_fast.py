"""SlowOnly and SlowFast: published counts, a plain reference, frames of each pathway, options."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.core.pruning import FilterMasks, compact, measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.convolutional.slow_fast import SlowFast, SlowOnly
from autohier.testing.recognizers import randomise_norms
from support.networks.network_counts import millions, multiply_adds, on_meta
from support.networks.plain_residual import convolved, pooled_by_hand, stack_by_hand

NUM_BLOCKS = (3, 4, 6, 3)
STRIDES = ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))


@pytest.mark.parametrize(
    ("name", "options", "num_millions"),
    [
        ("slowonly-resnet50", {}, 31.634),
        ("slowfast-resnet50", {}, 33.557),
        ("slowfast-resnet50", {"lateral_kernel": 7}, 33.644),
    ],
)
def test_parameters_without_heads_are_those_of_mmaction2_and_pyskl(name, options, num_millions):
    assert millions(on_meta(name, **options).recognizer) == num_millions


@pytest.mark.parametrize(
    ("name", "num_classes", "num_millions"),
    [
        ("slowonly-resnet50", 4, 31.643),
        ("slowonly-resnet50", 99, 31.837),
        ("slowonly-resnet50", 400, 32.454),
        ("slowfast-resnet50", 99, 33.785),
    ],
)
def test_parameters_with_a_head_are_the_measured_ones(name, num_classes, num_millions):
    assert millions(on_meta(name, num_classes=num_classes)) == num_millions


@pytest.mark.parametrize(
    ("name", "options", "num_frames", "giga_multiply_adds"),
    [
        ("slowonly-resnet50", {}, 4, 20.87),
        ("slowonly-resnet50", {}, 8, 41.74),
        ("slowfast-resnet50", {}, 32, 27.64),
        ("slowfast-resnet50", {"lateral_kernel": 7}, 32, 27.80),
    ],
)
def test_multiply_adds_are_the_measured_ones(name, options, num_frames, giga_multiply_adds):
    counted = multiply_adds(on_meta(name, **options), (1, 3, num_frames, 224, 224))
    assert counted / 1e9 == pytest.approx(giga_multiply_adds, abs=0.006)


def test_the_cost_model_counts_the_same():
    network = build_recognizer("slowfast-resnet50", num_classes=7, width=0.125, seed=0)
    cost = measure_cost(network, (3, 16, 32, 32))
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    meta = on_meta("slowfast-resnet50", num_classes=7, width=0.125)
    assert cost.multiply_adds == multiply_adds(meta, (1, 3, 16, 32, 32))


def stem_by_hand(state, at, clip):
    x = convolved(state, f"{at}conv1", f"{at}bn1", clip, (1, 2, 2)).clamp_min(0)
    return pooled_by_hand(x, stride=2)


def slow_only_by_hand(network, clip):
    state = network.state_dict()
    x, features = stem_by_hand(state, "", clip), []
    for stack, (num_blocks, stride) in enumerate(zip(NUM_BLOCKS, STRIDES, strict=True), start=1):
        x = stack_by_hand(state, f"layer{stack}", num_blocks, stride, x)
        features.append(x.mean(dim=(2, 3, 4)))
    return features


def slow_fast_by_hand(network, clip, slow_stride):
    """Pass a clip through both pathways; a lateral connection is a sum over its frames."""
    state = network.state_dict()
    slow = stem_by_hand(state, "slow.", clip[:, :, ::slow_stride])
    fast = stem_by_hand(state, "fast.", clip)
    features = []
    for stack, (num_blocks, stride) in enumerate(zip(NUM_BLOCKS, STRIDES, strict=True), start=1):
        weight = state[f"laterals.{stack - 1}.weight"]
        reach = weight.shape[2] // 2
        framed = F.pad(fast, (0, 0, 0, 0, reach, reach))
        lateral = torch.stack(
            [
                sum(
                    torch.einsum("bchw,fc->bfhw", framed[:, :, frame + shift], weight[:, :, shift, 0, 0])
                    for shift in range(weight.shape[2])
                )
                for frame in range(0, fast.shape[2], slow_stride)
            ],
            dim=2,
        )
        slow = stack_by_hand(
            state, f"slow.layer{stack}", num_blocks, stride, torch.cat([slow, lateral], dim=1)
        )
        fast = stack_by_hand(state, f"fast.layer{stack}", num_blocks, stride, fast)
        features.append(torch.cat([slow.mean(dim=(2, 3, 4)), fast.mean(dim=(2, 3, 4))], dim=1))
    return features


@torch.no_grad()
def test_features_of_slow_only_are_those_of_the_plain_reference():
    torch.manual_seed(0)
    network = randomise_norms(SlowOnly(width=0.125)).double().eval()
    clip = torch.randn(2, 3, 4, 32, 40, dtype=torch.float64)
    for own, expected in zip(network.forward_stacks(clip), slow_only_by_hand(network, clip), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize(("lateral_kernel", "slow_stride"), [(5, 8), (7, 4)])
def test_features_of_slow_fast_are_those_of_the_plain_reference(lateral_kernel, slow_stride):
    torch.manual_seed(0)
    network = SlowFast(width=0.125, lateral_kernel=lateral_kernel, slow_stride=slow_stride)
    network = randomise_norms(network).double().eval()
    clip = torch.randn(2, 3, 16, 32, 32, dtype=torch.float64)
    expected = slow_fast_by_hand(network, clip, slow_stride)
    for own, each in zip(network.forward_stacks(clip), expected, strict=True):
        torch.testing.assert_close(own, each, rtol=1e-10, atol=1e-10)


def test_channels_of_the_features_are_both_pathways():
    with torch.device("meta"):
        assert SlowOnly().stack_channels == (256, 512, 1024, 2048)
        assert SlowFast().stack_channels == (288, 576, 1152, 2304)
        assert SlowFast(width=0.5).stack_channels == (128 + 32, 256 + 32, 512 + 64, 1024 + 128)


@torch.no_grad()
def test_the_first_two_stacks_of_slow_only_read_each_frame_separately():
    network = SlowOnly(width=0.125).eval()
    clip = torch.randn(1, 3, 20, 32, 32)
    other = clip.clone()
    other[:, :, 0] += 1.0
    seen = []
    for stack in network.stacks[1:3]:
        stack.register_forward_hook(lambda _, __, out: seen.append(out))
    network.forward_stacks(clip)
    network.forward_stacks(other)
    changed = [(seen[stack] != seen[stack + 2]).any(dim=(0, 1, 3, 4)).tolist() for stack in (0, 1)]
    # Six blocks in stack 3, each with one 3x1x1 kernel.
    assert changed == [[True] + [False] * 19, [True] * 7 + [False] * 13]


@torch.no_grad()
@pytest.mark.parametrize(("num_frames", "num_slow"), [(16, 2), (12, 2), (8, 1), (3, 1)])
def test_the_slow_pathway_reads_every_eighth_frame(num_frames, num_slow):
    network = SlowFast(width=0.125).eval()
    shapes = []
    for stack in (network.slow.stacks[0], network.fast.stacks[0]):
        stack.register_forward_hook(lambda _, __, out: shapes.append(out.shape[2]))
    network.forward_stacks(torch.randn(1, 3, num_frames, 32, 32))
    assert shapes == [num_slow, num_frames]


@torch.no_grad()
def test_a_network_without_filters_of_the_fast_pathway_s_last_stack_keeps_its_outputs():
    network = randomise_norms(
        build_recognizer("slowfast-resnet50", num_classes=7, width=0.125, seed=0)
    ).eval()
    filters = network.recognizer.prunable_filters()
    masks = {
        each.name: torch.full((len(each.convolution.weight),), not each.name.startswith("fast.layer3"))
        for each in filters
    }
    FilterMasks(masks).apply(filters)
    compacted = compact(network, (3, 16, 32, 32))
    # torch has no convolution without channels: one dead one is left to read.
    assert compacted.recognizer.laterals[3].in_channels == 1
    assert compacted.recognizer.laterals[3].out_channels == network.recognizer.laterals[3].out_channels
    clip = torch.randn(2, 3, 16, 32, 32)
    torch.testing.assert_close(compacted(clip)[-1], network(clip)[-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slowfast-resnet50", {"width": 0.0}, "width must be positive and finite, but got 0.0"),
        ("slowfast-resnet50", {"in_channels": 0}, "in_channels must be at least 1, but got 0"),
        ("slowfast-resnet50", {"slow_stride": 0}, "slow_stride must be at least 1, but got 0"),
        ("slowfast-resnet50", {"lateral_kernel": 4}, "must be odd and positive, but got 4: write 5 or 7"),
        ("slowonly-resnet50", {"slow_stride": 8}, "unknown option 'slow_stride' of slowonly-resnet50"),
        ("slowonly-resnet50", {"initialisation": "zeros"}, "fan-in or fan-out, but got 'zeros'"),
    ],
)
def test_an_invalid_option_is_reported(name, options, message):
    with pytest.raises(InputError, match=message):
        build_recognizer(name, num_classes=5, **options)
