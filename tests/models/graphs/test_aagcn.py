"""AAGCN: published counts, a step-by-step computation, initial weights, layouts, and pruned gates."""

import pytest
import torch

from autohier.core.pruning import FilterMasks, measure_cost
from autohier.data.skeleton import LAYOUTS
from autohier.models import build_recognizer
from autohier.models.graphs.aagcn import Aagcn
from autohier.models.graphs.block_network import BLOCK_STRIDES
from support.networks import plain_graphs as plain


def small(**options):
    torch.manual_seed(0)
    return Aagcn(**{"width": 0.125, "layout": "jhmdb-15", **options})


def clips(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("layout", "num_millions", "giga_multiply_adds"),
    [("kinect-v2-25", 3.782, 6.47), ("coco-17", 3.760, 4.34)],
)
def test_counts_equal_the_published_ones(layout, num_millions, giga_multiply_adds):
    network = build_recognizer("aagcn", num_classes=60, layout=layout)
    cost = measure_cost(network, (2, 100, LAYOUTS[layout].num_joints, 3))
    assert cost.parameters == sum(each.numel() for each in network.parameters())
    assert round(cost.parameters / 1e6, 3) == num_millions
    assert round(cost.multiply_adds / 1e9, 2) == giga_multiply_adds


def plain_graph_convolution(state, path, x_NCTV):
    """Return the output of the graph convolution, partition by partition and pair by pair of joints."""
    partitions_PVW = state[f"{path}.partitions"]
    num_partitions, num_joints, _ = partitions_PVW.shape
    embedded = plain.mixed(state[f"{path}.embedding.weight"], state[f"{path}.embedding.bias"], x_NCTV)
    from_NPE, to_NPE = (
        part.view(len(part), num_partitions, -1, *part.shape[2:]) for part in embedded.chunk(2, dim=1)
    )
    total = 0
    for partition in range(num_partitions):
        weights = torch.zeros(len(x_NCTV), 1, num_joints, num_joints, dtype=x_NCTV.dtype)
        for source in range(num_joints):
            for target in range(num_joints):
                products = from_NPE[:, partition, ..., source] * to_NPE[:, partition, ..., target]
                attention_N = torch.tanh(products.flatten(1).mean(dim=1))
                fixed = partitions_PVW[partition, source, target]
                weights[:, 0, source, target] = fixed + state[f"{path}.strength"] * attention_N
        weight_FC = state[f"{path}.conv.weight"][:, :, partition, 0]
        neighbors = plain.gathered(x_NCTV, weights)
        total = total + plain.mixed(weight_FC, state[f"{path}.conv.bias"][:, partition], neighbors)
    return total


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def plain_attention(state, path, x_NCTV):
    """Scale joints, then frames, then channels."""

    def weights(name):
        return state[f"{path}.{name}.weight"], state[f"{path}.{name}.bias"]

    for name, mean_over in (("joint_attention", 2), ("frame_attention", 3)):
        scores_N1L1 = plain.over_time(*weights(name), x_NCTV.mean(dim=mean_over)[..., None])
        scores = scores_N1L1.transpose(2, 3) if mean_over == 2 else scores_N1L1
        x_NCTV = x_NCTV + x_NCTV * sigmoid(scores)
    hidden = plain.mixed(*weights("squeeze"), x_NCTV.flatten(2).mean(dim=2)).clamp_min(0)
    return x_NCTV + x_NCTV * sigmoid(plain.mixed(*weights("excite"), hidden))[..., None, None]


@torch.no_grad()
@pytest.mark.parametrize("layout", ["jhmdb-15", "openpose-18"])
def test_it_equals_a_step_by_step_computation(layout):
    network = plain.with_random_state(small(layout=layout, stacks=(1, 1, 8)))
    state, batch = network.state_dict(), clips(1, 2, 4, LAYOUTS[layout].num_joints, 3).double()
    x = plain.normed_persons(state, batch)
    expected = []
    for index, stride in enumerate(BLOCK_STRIDES):
        path, before = f"blocks.{index}", x
        x = plain.normed(state, f"{path}.spatial.bn", plain_graph_convolution(state, f"{path}.spatial", x))
        x = (x + plain.shortcut(state, f"{path}.spatial.shortcut", before)).clamp_min(0)
        x = plain_attention(state, f"{path}.spatial", x)
        weight_FCK = state[f"{path}.temporal.conv.weight"][..., 0]
        x = plain.over_time(weight_FCK, state[f"{path}.temporal.conv.bias"], x, stride=stride)
        x = plain.normed(state, f"{path}.temporal.bn", x)
        if index:
            x = x + plain.shortcut(state, f"{path}.shortcut", before, stride)
        x = x.clamp_min(0)
        if index in {0, 1, 9}:
            expected.append(plain.pooled(x, num_persons=2))
    for feature, plain_feature in zip(network.forward_stacks(batch), expected, strict=True):
        torch.testing.assert_close(feature, plain_feature, rtol=1e-9, atol=1e-9)


def test_initial_weights_are_the_authors():
    network = small(width=1.0)
    unit = network.blocks[5].spatial
    assert (unit.bn.weight == torch.tensor(1e-6)).all()
    for zeros in (unit.strength, unit.frame_attention.weight, unit.excite.weight):
        assert not zeros.any()
    # 128 channels: filters over three partitions, embeddings of 32, nine frames, and 15 joints of one filter.
    for weight, expected in (
        (unit.conv.weight, (2 / (128 * 128 * 3)) ** 0.5),
        (unit.embedding.weight, (2 / 32) ** 0.5),
        (unit.joint_attention.weight, (2 / (15 * (128 + 1))) ** 0.5),
        (unit.squeeze.weight, (2 / 128) ** 0.5),
        (network.blocks[5].temporal.conv.weight, (2 / (128 * 9)) ** 0.5),
    ):
        assert weight.std().item() == pytest.approx(expected, rel=0.05)


class LastStack(torch.nn.Module):
    def __init__(self, recognizer):
        super().__init__()
        self.recognizer = recognizer

    def forward(self, batch):
        return self.recognizer.forward_stacks(batch)[-1]


def test_a_dead_channel_passes_the_gates_dead():
    # The last three blocks share a stream of 32 channels. All their filters 3 are dead.
    network = small()
    shape = (2, 8, 15, 3)
    writers = [f"blocks.{block}.{unit}" for block in (7, 8, 9) for unit in ("spatial.conv", "temporal.conv")]
    writers += ["blocks.7.spatial.shortcut.conv", "blocks.7.shortcut.conv"]
    filters = network.prunable_filters()
    alive = {name: mask.clone() for name, mask in FilterMasks.all_alive(filters).alive.items()}
    before = measure_cost(LastStack(network), shape)
    for name in writers:
        alive[name][3] = False
    FilterMasks(alive).apply(filters)
    after = measure_cost(LastStack(network), shape)
    read, width, hidden, embedded = 16, 32, 16, 6 * 8
    # Graph filters of three partitions with three biases and two affines; block 7 reads half the channels.
    graph = (3 * read + 5) + 2 * (3 * width + 5) + 2 * 3 * (width - 1)
    # Temporal filters of nine frames with a bias and two affines, and the others that read the channel.
    temporal = 3 * (9 * width + 3) + 3 * 9 * (width - 1)
    shortcuts = 2 * (read + 3)
    embeddings = 2 * embedded
    # Attention to 15 joints and 9 frames; the hidden layer reads the channel, and its gate has a bias.
    gates = 3 * (15 + 9 + hidden + hidden + 1)
    assert before.parameters - after.parameters == graph + temporal + shortcuts + embeddings + gates
