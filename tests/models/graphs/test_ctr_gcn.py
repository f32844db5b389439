"""CTR-GCN: published counts, a step-by-step computation, initial weights, layouts and persons."""

import pytest
import torch

from autohier.core.pruning import measure_cost
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.graphs.block_network import BLOCK_CHANNELS, BLOCK_STRIDES
from autohier.models.graphs.ctr_gcn import CtrGcn
from support.networks import plain_graphs as plain


def small(**options):
    torch.manual_seed(0)
    return CtrGcn(**{"width": 0.125, "layout": "jhmdb-15", **options})


def clips(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def saved_by_averaging_first(num_persons, num_frames, num_joints):
    """Return the extra multiply-adds of the authors' code, which embeds every frame and averages then."""
    saved = 0
    for read, stride in zip((3, *BLOCK_CHANNELS), BLOCK_STRIDES, strict=False):
        num_relations = 8 if read == 3 else read // 8
        # Two embeddings for each of three partitions.
        saved += num_persons * (num_frames - 1) * num_joints * 2 * 3 * read * num_relations
        num_frames = -(-num_frames // stride)
    return saved


@pytest.mark.parametrize(
    ("layout", "num_persons", "num_frames", "num_classes", "num_millions", "giga_multiply_adds"),
    [
        ("kinect-v2-25", 2, 100, 60, 1.447, 2.97),
        ("coco-17", 2, 100, 60, 1.436, 1.94),
        ("kinect-v1-20", 1, 52, 10, 1.427, 0.62),
    ],
)
def test_counts_equal_the_published_ones(
    layout, num_persons, num_frames, num_classes, num_millions, giga_multiply_adds
):
    num_joints = LAYOUTS[layout].num_joints
    network = build_recognizer("ctr-gcn", num_classes=num_classes, layout=layout, num_persons=num_persons)
    cost = measure_cost(network, (num_persons, num_frames, num_joints, 3))
    assert cost.parameters == sum(each.numel() for each in network.parameters())
    assert round(cost.parameters / 1e6, 3) == num_millions
    published = cost.multiply_adds + saved_by_averaging_first(num_persons, num_frames, num_joints)
    assert round(published / 1e9, 2) == giga_multiply_adds


def plain_graph_convolution(state, path, x_NCTV):
    """Return the output of the graph convolution, partition by partition."""
    partitions_PVW = state[f"{path}.partitions"]
    num_partitions, num_joints, _ = partitions_PVW.shape
    embedded = plain.mixed(state[f"{path}.embedding.weight"], state[f"{path}.embedding.bias"], x_NCTV)
    # The authors' order: every frame is embedded, and the embeddings are averaged.
    to_NPRV, from_NPRV = (
        part.view(len(x_NCTV), num_partitions, -1, num_joints)
        for part in embedded.mean(dim=2).chunk(2, dim=1)
    )
    total = 0
    for partition in range(num_partitions):
        weight_FC = state[f"{path}.conv.weight"][:, :, partition, 0]
        filtered = plain.mixed(weight_FC, state[f"{path}.conv.bias"][:, partition], x_NCTV)
        refinement_FR = state[f"{path}.conv.refinement"][:, partition]
        refinement_F = state[f"{path}.conv.refinement_bias"][:, partition]
        to_NRV, from_NRV = to_NPRV[:, partition], from_NPRV[:, partition]
        relations = torch.zeros(*to_NRV.shape, num_joints, dtype=x_NCTV.dtype)
        for source in range(num_joints):
            for target in range(num_joints):
                relations[:, :, source, target] = torch.tanh(to_NRV[..., target] - from_NRV[..., source])
        refined = plain.mixed(refinement_FR, refinement_F, relations)
        topology = partitions_PVW[partition] + state[f"{path}.strength"] * refined
        total = total + plain.gathered(filtered, topology)
    return total


@torch.no_grad()
def test_it_equals_a_step_by_step_computation():
    network = plain.with_random_state(small(width=0.06))
    state, batch = network.state_dict(), clips(2, 2, 5, 15, 3).double()
    x = plain.normed_persons(state, batch)
    expected = []
    for index, stride in enumerate(BLOCK_STRIDES):
        path, before = f"blocks.{index}", x
        x = plain.normed(state, f"{path}.spatial.bn", plain_graph_convolution(state, f"{path}.spatial", x))
        x = (x + plain.shortcut(state, f"{path}.spatial.shortcut", before)).clamp_min(0)
        x = plain.branches(state, f"{path}.temporal", x, stride, dilations=(1, 2))
        if index:
            x = x + plain.shortcut(state, f"{path}.shortcut", before, stride)
        x = x.clamp_min(0)
        if index in {3, 6, 9}:
            expected.append(plain.pooled(x, num_persons=2))
    for feature, plain_feature in zip(network.forward_stacks(batch), expected, strict=True):
        torch.testing.assert_close(feature, plain_feature, rtol=1e-9, atol=1e-9)


def test_initial_weights_are_the_authors():
    network = small(width=1.0)
    unit = network.blocks[5].spatial
    assert not unit.strength.any()
    assert (unit.bn.weight == torch.tensor(1e-6)).all()
    # Deviations are the root of 2 / filters; 128 channels have 16 relations, and branches have 32 channels.
    for weight, expected in (
        (unit.conv.weight, (2 / 128) ** 0.5),
        (unit.conv.refinement, (2 / 128) ** 0.5),
        (unit.embedding.weight, (2 / 16) ** 0.5),
        (network.blocks[5].temporal.entry.weight, (2 / 32) ** 0.5),
        (network.blocks[5].temporal.dilated[1].weight, (2 / (32 * 5)) ** 0.5),
        (network.blocks[4].shortcut.conv.weight, (2 / 128) ** 0.5),
    ):
        assert weight.std().item() == pytest.approx(expected, rel=0.05)
    biases = [each for name, each in network.named_parameters() if name.endswith("bias")]
    assert not any(each.any() for each in biases)


def test_branches_have_a_quarter_of_the_channels():
    unit = small(width=0.5).blocks[4].temporal
    assert [each.out_channels for each in unit.dilated] == [16, 16]
    assert [each.kernel_size for each in unit.dilated] == [(5, 1), (5, 1)]
    assert [each.dilation for each in unit.dilated] == [(1, 1), (2, 1)]
    assert (unit.entry.out_channels, unit.pointwise.out_channels) == (48, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_persons": 0}, "num_persons must be at least 1, but got 0"),
        ({"stacks": (4, 3)}, r"sum to 10 blocks, but got \(4, 3\)"),
        ({"width": 0.0}, "width must be positive and finite, but got 0.0"),
    ],
)
def test_an_invalid_option_is_reported(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)


def test_clips_with_other_persons_are_refused():
    with pytest.raises(InputError, match=r"must have the 2 persons .* but got 1: set num_persons"):
        small().forward_stacks(clips(1, 1, 4, 15, 3))
