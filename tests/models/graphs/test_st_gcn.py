"""ST-GCN and ST-GCN++: compared with published counts and with step-by-step computations."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.core.pruning import measure_cost
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.graphs.st_gcn import BLOCK_CHANNELS, BLOCK_STRIDES, StGcn
from support.benchmark_modules import load_benchmark

VARIANTS = ("st-gcn", "st-gcn++")
variants = pytest.mark.parametrize("variant", VARIANTS)


def small(variant, **options):
    torch.manual_seed(0)
    return StGcn(variant, **{"width": 0.125, "layout": "coco-17", **options})


def clips(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def saved_by_gathering_first(num_joints):
    """Return the extra multiply-adds of the authors' code, which gathers after filtering: 100 frames, 2
    persons."""
    saved, num_frames = 0, 100
    for read, written, stride in zip((3, *BLOCK_CHANNELS), BLOCK_CHANNELS, BLOCK_STRIDES, strict=False):
        saved += 2 * num_frames * num_joints * 3 * num_joints * (written - read)
        num_frames //= stride
    return saved


@pytest.mark.parametrize(
    ("variant", "layout", "num_millions", "giga_multiply_adds"),
    [
        ("st-gcn", "coco-17", 3.089, 3.81),
        ("st-gcn", "kinect-v2-25", 3.099, 5.70),
        ("st-gcn++", "coco-17", 1.393, 1.93),
        ("st-gcn++", "kinect-v2-25", 1.403, 2.93),
    ],
)
def test_counts_equal_the_published_ones(variant, layout, num_millions, giga_multiply_adds):
    num_joints = LAYOUTS[layout].num_joints
    network = build_recognizer(variant, num_classes=60, layout=layout)
    cost = measure_cost(network, (2, 100, num_joints, 3))
    assert cost.parameters == sum(each.numel() for each in network.parameters())
    assert round(cost.parameters / 1e6, 3) == num_millions
    published = cost.multiply_adds + saved_by_gathering_first(num_joints)
    assert round(published / 1e9, 2) == giga_multiply_adds


def norm(state, path, x_NCTV):
    """Normalize with running statistics, as in evaluation."""
    mean, variance, gamma, beta = (
        state[f"{path}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x_NCTV - mean) / (variance + 1e-5).sqrt() * gamma + beta


def plain_st_gcn(state, x_BMTVC):
    """Return the features of ST-GCN's last block, computed step by step."""
    num_clips, num_persons, *person = x_BMTVC.shape
    # The norm of the input has one channel per coordinate of each joint.
    x = norm(state, "data_bn", x_BMTVC.reshape(-1, person[0], person[1] * person[2], 1).transpose(1, 2))
    x = x.view(-1, person[1], person[2], person[0]).permute(0, 2, 3, 1)
    for index, stride in enumerate(BLOCK_STRIDES):
        path, before = f"blocks.{index}", x
        weight_FCP = state[f"{path}.spatial.conv.weight"][..., 0]
        bias_FP = state[f"{path}.spatial.conv.bias"]
        edges_PVW = state[f"{path}.spatial.partitions"] * state[f"{path}.spatial.importance"]
        mixed = torch.einsum("fcp,nctv->nfptv", weight_FCP, x) + bias_FP[:, :, None, None]
        x = torch.einsum("nfptv,pvw->nftw", mixed, edges_PVW)
        x = norm(state, f"{path}.spatial.bn", x).clamp_min(0)
        weight, bias = state[f"{path}.temporal.conv.weight"], state[f"{path}.temporal.conv.bias"]
        x = norm(state, f"{path}.temporal.bn", F.conv2d(x, weight, bias, (stride, 1), (4, 0)))
        if index and stride == 1:
            x = x + before
        elif index:
            weight, bias = state[f"{path}.shortcut.conv.weight"], state[f"{path}.shortcut.conv.bias"]
            x = x + norm(state, f"{path}.shortcut.bn", F.conv2d(before, weight, bias, (stride, 1)))
        x = x.clamp_min(0)
    return x.mean(dim=(2, 3)).view(num_clips, num_persons, -1).mean(dim=1)


def with_random_state(network):
    """Replace every tensor by random values."""
    generator = torch.Generator().manual_seed(2)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_var", "bn.weight", "importance")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point() and not name.endswith("conv.weight"):
            tensor.normal_(0.0, 0.2, generator=generator)
    return network


@torch.no_grad()
def test_st_gcn_equals_a_step_by_step_computation():
    network = with_random_state(small("st-gcn").double()).eval()
    batch = clips(2, 2, 10, 17, 3).double()
    expected = plain_st_gcn(network.state_dict(), batch)
    torch.testing.assert_close(network.forward_stacks(batch)[-1], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_st_gcn_plus_plus_equals_one_module_per_partition_and_branch(training):
    network = build_recognizer("st-gcn++", num_classes=5, width=0.25, layout="kinect-v1-20", seed=0)
    with_random_state(network.recognizer)
    plain = load_benchmark("skeleton_plain").plain_copy(network).double().train(training)
    network.double().train(training)
    batch = clips(3, 2, 11, 20, 3).double()
    ((scores,), (expected,)) = network(batch), plain(batch)
    torch.testing.assert_close(scores, expected, rtol=1e-9, atol=1e-9)
    scores.square().sum().backward()
    expected.square().sum().backward()
    for index in range(len(BLOCK_CHANNELS)):
        torch.testing.assert_close(
            network.recognizer.blocks[index].spatial.partitions.grad,
            plain.blocks[index].spatial.partitions.grad,
            rtol=1e-7,
            atol=1e-9,
        )


def test_learned_partitions_start_at_the_graph():
    plain, plus = small("st-gcn"), small("st-gcn++")
    names = dict(plain.named_parameters())
    assert not any(name.endswith("partitions") for name in names)
    assert all((each == 1).all() for name, each in names.items() if name.endswith("importance"))
    # In the last partition of ST-GCN++, joints gather from their children; the nose has four.
    children_VW = dict(plus.named_parameters())["blocks.9.spatial.partitions"][2]
    layout = LAYOUTS["coco-17"]
    nose, left_eye = layout.joint_names.index("nose"), layout.joint_names.index("left eye")
    assert children_VW[left_eye, nose].item() == 0.25
    assert children_VW[nose, left_eye].item() == 0.0


@variants
def test_blocks_that_double_channels_halve_frames(variant):
    network, shapes = small(variant), []
    for block in network.blocks:
        block.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
    network.forward_stacks(clips(1, 2, 9, 17, 3))
    # 64, 128 and 256 channels at width 1/8; nine frames, then five, then three.
    assert shapes == [(2, 8, 9, 17)] * 4 + [(2, 16, 5, 17)] * 3 + [(2, 32, 3, 17)] * 3


@torch.no_grad()
@variants
def test_stacks_have_the_given_numbers_of_blocks(variant):
    batch = clips(2, 1, 6, 17, 3)
    by_width = small(variant).eval().forward_stacks(batch)
    assert small(variant, stacks=(2, 3, 1, 4)).stack_channels == (8, 16, 16, 32)
    for stacks, same in (((4, 6), {0: 0, 1: 2}), ((2, 2, 6), {1: 0, 2: 2}), ((1,) * 10, {3: 0, 6: 1, 9: 2})):
        features = small(variant, stacks=stacks).eval().forward_stacks(batch)
        assert len(features) == len(stacks)
        for own, others in same.items():
            assert torch.equal(features[own], by_width[others])


@torch.no_grad()
@variants
def test_persons_are_averaged_and_absent_ones_count_as_zeros(variant):
    network = with_random_state(small(variant).double()).eval()
    batch = clips(2, 2, 6, 17, 3).double()
    batch[1, 1] = 0.0
    alone = [network.forward_stacks(batch[:, [person]]) for person in range(2)]
    all_zeros = network.forward_stacks(torch.zeros(1, 1, 6, 17, 3, dtype=torch.float64))
    for together, first, second, absent in zip(network.forward_stacks(batch), *alone, all_zeros, strict=True):
        torch.testing.assert_close(together, (first + second) / 2, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(together[1], (first[1] + absent[0]) / 2, rtol=1e-10, atol=1e-12)


@torch.no_grad()
@variants
def test_any_memory_format_of_a_batch_works(variant):
    network = small(variant).double().eval()
    batch = clips(2, 2, 5, 17, 3).double()
    moved = batch.contiguous(memory_format=torch.channels_last_3d)
    for one, other in zip(network.forward_stacks(batch), network.forward_stacks(moved), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@variants
def test_channels_are_multiples_of_eight(variant):
    widths = {width: small(variant, width=width).stack_channels for width in (1.0, 0.5, 0.3, 0.01)}
    # 0.3 times 64, 128, 256 is 19.2, 38.4, 76.8.
    assert widths == {1.0: (64, 128, 256), 0.5: (32, 64, 128), 0.3: (16, 40, 80), 0.01: (8, 8, 8)}


def test_branches_have_a_sixth_of_the_channels_and_the_first_the_rest():
    unit = StGcn("st-gcn++", width=0.5).blocks[4].temporal
    # 64 channels: 14 in the first branch and 10 in each of the others.
    assert [convolution.out_channels for convolution in unit.dilated] == [14, 10, 10, 10]
    assert [convolution.dilation for convolution in unit.dilated] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert (unit.entry.out_channels, unit.pointwise.out_channels) == (54, 10)


def test_filters_are_in_the_order_of_the_data():
    names = [each.name for each in small("st-gcn++").prunable_filters()]
    assert names[:9] == [
        "blocks.0.spatial.conv",
        "blocks.0.spatial.shortcut.conv",
        "blocks.0.temporal.entry",
        *(f"blocks.0.temporal.dilated.{index}" for index in range(4)),
        "blocks.0.temporal.pointwise",
        "blocks.0.temporal.transform",
    ]
    assert [name for name in names if name.endswith("shortcut.conv")][-1] == "blocks.7.shortcut.conv"
    assert [each.name for each in small("st-gcn").prunable_filters()][:5] == [
        "blocks.0.spatial.conv",
        "blocks.0.temporal.conv",
        "blocks.1.spatial.conv",
        "blocks.1.temporal.conv",
        "blocks.2.spatial.conv",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "ntu"}, "unknown joint layout 'ntu': valid are .*kinect-v2-25"),
        ({"stacks": (4, 3)}, r"sum to 10 blocks, but got \(4, 3\): write e.g. \(4, 3, 3\)"),
        ({"stacks": (7, 0, 3)}, r"at least 1 .* but got \(7, 0, 3\)"),
        ({"stacks": ()}, r"sum to 10 blocks, but got \(\)"),
        ({"width": 0.0}, "width must be positive and finite, but got 0.0"),
        ({"in_channels": 0}, "in_channels must be at least 1, but got 0"),
        (
            {"initialisation": "fan-in"},
            "option 'initialisation' of .*: valid are in_channels, layout, stacks, width",
        ),
        ({"variant": "st-gcn"}, "unknown option 'variant' of "),
    ],
)
def test_an_invalid_option_is_reported(options, message):
    with pytest.raises(InputError, match=message):
        build_recognizer("st-gcn++", num_classes=3, **options)
