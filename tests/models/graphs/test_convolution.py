"""Graph convolution: by hand, and compared with loops."""

import torch

from autohier.models.graphs.convolution import GraphConvolution


def random_case(num_read=2, num_written=4, num_partitions=3, num_joints=5, num_frames=3):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    layer = GraphConvolution(num_read, num_written, num_partitions, num_joints).double()
    layer.weight.data = draw(num_written, num_read, num_partitions, 1)
    layer.bias.data = draw(num_written, num_partitions)
    x = draw(2, num_read, num_frames, num_joints)
    return layer, x, draw(num_partitions, num_joints, num_joints)


def by_loops(layer, x_NCTV, partitions_PVW):
    """Apply the filters first and gather afterwards, as in the authors' code."""
    num_clips, num_read, num_frames, num_joints = x_NCTV.shape
    out = x_NCTV.new_zeros(num_clips, len(layer.weight), num_frames, num_joints)
    for partition, weights_VW in enumerate(partitions_PVW):
        for filter_, row in enumerate(layer.weight[:, :, partition, 0]):
            for source in range(num_joints):
                mixed = layer.bias[filter_, partition] + sum(
                    row[channel] * x_NCTV[:, channel, :, source] for channel in range(num_read)
                )
                for target in range(num_joints):
                    out[:, filter_, :, target] += weights_VW[source, target] * mixed
    return out


def test_one_filter_of_two_joints_by_hand():
    layer = GraphConvolution(1, 1, 2, 2)
    layer.weight.data = torch.tensor([10.0, 100.0]).view(1, 1, 2, 1)
    layer.bias.data = torch.tensor([[1.0, 2.0]])
    # In the first partition, a joint gathers from itself; in the second, joint 1 gathers half of joint 0.
    partitions = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.5], [0.0, 0.0]]])
    out = layer(torch.tensor([3.0, 7.0]).view(1, 1, 1, 2), partitions)
    # Joint 0: 10 * 3 + 1. Joint 1: 10 * 7 + 1 plus half of 100 * 3 + 2.
    assert out.flatten().tolist() == [31.0, 71.0 + 151.0]


@torch.no_grad()
def test_it_sums_over_partitions_and_neighbours():
    layer, x, partitions = random_case()
    torch.testing.assert_close(layer(x, partitions), by_loops(layer, x, partitions), rtol=1e-12, atol=1e-12)


def test_gradients_are_correct():
    layer, x, partitions = random_case()

    def forward(x, partitions, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x, partitions))

    inputs = [each.detach().requires_grad_() for each in (x, partitions, layer.weight, layer.bias)]
    assert torch.autograd.gradcheck(forward, inputs)


@torch.no_grad()
def test_memory_stays_channels_last():
    layer, x, partitions = random_case()
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        out = layer(given, partitions)
        assert out.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(out, layer(x, partitions), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_its_channels_follow_from_its_tensors():
    # Removing filters 1 and 3 and channel 0 gives the same outputs as zeroing them.
    layer, x, partitions = random_case(num_read=3)
    for dead in (layer.weight[[1, 3]], layer.weight[:, 0], layer.bias[[1, 3]], x[:, 0]):
        assert dead.any()
    layer.weight[[1, 3]] = 0
    layer.bias[[1, 3]] = 0
    x[:, 0] = 0
    whole = layer(x, partitions)
    assert not whole[:, [1, 3]].any()
    layer.weight.data = layer.weight[[0, 2]][:, 1:]
    layer.bias.data = layer.bias[[0, 2]]
    torch.testing.assert_close(layer(x[:, 1:], partitions), whole[:, [0, 2]], rtol=1e-12, atol=1e-12)
