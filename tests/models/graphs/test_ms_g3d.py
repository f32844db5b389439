"""MS-G3D: published counts, a step-by-step computation, scales by hand, layouts and options."""

import pytest
import torch

from autohier.core.pruning import measure_cost
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.graphs.ms_g3d import STAGE_STRIDES, MsG3d
from support.networks import plain_graphs as plain

DILATIONS = (1, 2, 3, 4)


def small(**options):
    torch.manual_seed(0)
    few = {"num_scales": 3, "num_window_scales": 2, "windows": (3,)}
    return MsG3d(**{"width": 0.1, "layout": "jhmdb-15", **few, **options})


def clips(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("layout", "num_millions", "giga_multiply_adds"),
    [("kinect-v2-25", 3.195, 10.92), ("coco-17", 2.976, 6.81)],
)
def test_counts_equal_the_published_ones(layout, num_millions, giga_multiply_adds):
    network = build_recognizer("ms-g3d", num_classes=60, layout=layout)
    cost = measure_cost(network, (2, 100, LAYOUTS[layout].num_joints, 3))
    assert cost.parameters == sum(each.numel() for each in network.parameters())
    assert round(cost.parameters / 1e6, 3) == num_millions
    assert round(cost.multiply_adds / 1e9, 2) == giga_multiply_adds


def plain_scales(network, path, x_NCTV):
    """Gather by distance, then apply the filters over all distances."""
    state = network.state_dict()
    weights_PVW = network.get_buffer(f"{path}.partitions") + state[f"{path}.offset"]
    total = state[f"{path}.conv.bias"][:, 0][None, :, None, None]
    for partition, weights_VW in enumerate(weights_PVW):
        weight_FC = state[f"{path}.conv.weight"][:, :, partition, 0]
        no_bias = torch.zeros(len(weight_FC), dtype=x_NCTV.dtype)
        total = total + plain.mixed(weight_FC, no_bias, plain.gathered(x_NCTV, weights_VW[None, None]))
    return plain.normed(state, f"{path}.bn", total).clamp_min(0)


def plain_temporal(state, path, x_NCTV, stride=1, *, rectify=True):
    out = plain.branches(state, path, x_NCTV, stride, DILATIONS)
    out = out + plain.shortcut(state, f"{path}.shortcut", x_NCTV, stride)
    return out.clamp_min(0) if rectify else out


def plain_windows(network, path, x_NCTV, num_frames, stride):
    """Convolve every window of frames as one graph, and sum its frames with weights of their own."""
    state, reach = network.state_dict(), num_frames // 2
    weight_FCS = state[f"{path}.collapse.conv.weight"][..., 0]
    outputs = []
    for center in range(0, x_NCTV.shape[2], stride):
        seen = [
            x_NCTV[:, :, at] if 0 <= at < x_NCTV.shape[2] else torch.zeros_like(x_NCTV[:, :, 0])
            for at in range(center - reach, center + reach + 1)
        ]
        convolved = plain_scales(network, f"{path}.scales", torch.cat(seen, dim=2)[:, :, None])[:, :, 0]
        out = state[f"{path}.collapse.conv.bias"][None, :, None]
        for index, frame_NCV in enumerate(convolved.chunk(num_frames, dim=2)):
            no_bias = torch.zeros(len(weight_FCS), dtype=x_NCTV.dtype)
            out = out + plain.mixed(weight_FCS[..., index], no_bias, frame_NCV)
        outputs.append(out)
    return plain.normed(state, f"{path}.collapse.bn", torch.stack(outputs, dim=2))


@torch.no_grad()
def test_it_equals_a_step_by_step_computation():
    network = plain.with_random_state(small(width=0.05, windows=(3, 5)))
    state, batch = network.state_dict(), clips(2, 2, 5, 15, 3).double()
    x = plain.normed_persons(state, batch)
    expected = []
    for index, stride in enumerate(STAGE_STRIDES):
        path = f"stages.{index}"
        out = plain_scales(network, f"{path}.factorised.0", x)
        out = plain_temporal(state, f"{path}.factorised.1", out, stride)
        out = plain_temporal(state, f"{path}.factorised.2", out, rectify=False)
        for window, num_frames in enumerate((3, 5)):
            out = out + plain_windows(network, f"{path}.windows.{window}", x, num_frames, stride)
        x = plain_temporal(state, f"{path}.temporal", out.clamp_min(0))
        expected.append(plain.pooled(x, num_persons=2))
    for feature, plain_feature in zip(network.forward_stacks(batch), expected, strict=True):
        torch.testing.assert_close(feature, plain_feature, rtol=1e-9, atol=1e-9)


def test_offsets_of_the_graph_start_close_to_zero():
    network = small()
    for name, offset in network.named_parameters():
        if name.endswith("offset"):
            assert 0 < offset.abs().max() <= 1e-6
    assert not any(name.endswith("partitions") for name in network.state_dict())


def test_only_the_first_stage_widens_before_its_last_convolutions():
    network = small(width=1.0)
    widths = [
        (stage.factorised[0].conv.out_channels, stage.windows[0].scales.conv.out_channels)
        for stage in network.stages
    ]
    assert widths == [(96, 96), (96, 96), (192, 192)]
    assert network.stack_channels == (96, 192, 384)
    unit = small(width=0.5).stages[0].temporal
    # 48 channels: eight in each of six branches. Of 8, one is in each, and three are in the last.
    assert [each.out_channels for each in unit.dilated] == [8] * 4
    narrow = small().stages[0].temporal
    assert (narrow.entry.out_channels, narrow.pointwise.out_channels) == (5, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_scales": 0}, "num_scales must be at least 1, but got 0"),
        ({"num_window_scales": 0}, "num_window_scales must be at least 1, but got 0"),
        ({"windows": (3, 4)}, r"windows must be different odd numbers, but got \(3, 4\): write \(3, 5\)"),
        ({"windows": (3, 3)}, r"windows must be different odd numbers, but got \(3, 3\)"),
    ],
)
def test_an_invalid_option_is_reported(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)
