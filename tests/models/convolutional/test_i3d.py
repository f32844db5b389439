"""I3D: published counts, a plain reference, checkpoints of pytorch-i3d."""

import math
import re

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.core.pruning import measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.convolutional.i3d import I3d
from autohier.models.starting.fitting import fit_weights
from autohier.models.starting.name_tables import rename_tensors
from support.networks.network_counts import millions, multiply_adds, on_meta

BLOCKS = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}
"""Channels that a block of the published network reads, and those of its convolutions."""


def i3d_shapes():
    """Yield name, filters, channels and kernel size of every convolution by pytorch-i3d's names."""
    yield "Conv3d_1a_7x7", 64, 3, 7
    yield "Conv3d_2b_1x1", 64, 64, 1
    yield "Conv3d_2c_3x3", 192, 64, 3
    for block, (read, zero, reduced_1, one, reduced_2, two, three) in BLOCKS.items():
        yield f"{block}.b0", zero, read, 1
        yield f"{block}.b1a", reduced_1, read, 1
        yield f"{block}.b1b", one, reduced_1, 3
        yield f"{block}.b2a", reduced_2, read, 1
        yield f"{block}.b2b", two, reduced_2, 3
        yield f"{block}.b3b", three, read, 1


def i3d_state(scaled=lambda channels: channels, device="cpu"):
    """Return random weights by pytorch-i3d's names, of a network of other channel counts."""
    generator = torch.Generator(device).manual_seed(1) if device == "cpu" else None
    state = {}
    for name, written, read, size in i3d_shapes():
        num_written = scaled(written)
        num_read = read if read == 3 else read_by(name, scaled, read)
        shape = (num_written, num_read, size, size, size)
        weight = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
        state[f"{name}.conv3d.weight"] = weight * math.sqrt(2 / (num_read * size**3))
        for part in ("weight", "bias", "running_mean", "running_var"):
            random = torch.rand(num_written, generator=generator, dtype=torch.float64, device=device)
            state[f"{name}.bn.{part}"] = 0.5 + random
        state[f"{name}.bn.num_batches_tracked"] = torch.tensor(3, device=device)
    state["logits.conv3d.weight"] = torch.zeros(400, 1024, 1, 1, 1, dtype=torch.float64, device=device)
    state["logits.conv3d.bias"] = torch.zeros(400, dtype=torch.float64, device=device)
    return state


def read_by(name, scaled, read):
    """Return the scaled channels that a convolution reads: of a block, the sum of its branches'."""
    block, _, branch = name.partition(".")
    if branch in ("", "b1b", "b2b") or block == "Mixed_3b":
        return scaled(read)
    before = list(BLOCKS)[list(BLOCKS).index(block) - 1]
    _, zero, _, one, _, two, three = BLOCKS[before]
    return sum(map(scaled, (zero, one, two, three)))


def same(x, size, stride, value=0.0):
    """Pad as TensorFlow's "same", axis by axis: the odd zero is behind the last element."""
    for axis, (span, step) in enumerate(zip(size, stride, strict=True), start=2):
        length = x.shape[axis]
        missing = max((math.ceil(length / step) - 1) * step + span - length, 0)
        sides = [0, 0] * (4 - axis) + [missing // 2, missing - missing // 2] + [0, 0] * (axis - 2)
        x = F.pad(x, sides, value=value)
    return x


def i3d_by_hand(state, x):
    """Return the features after the blocks that end a stack, by pytorch-i3d's names."""

    def unit(name, x, stride=1):
        weight = state[f"{name}.conv3d.weight"]
        x = F.conv3d(same(x, weight.shape[2:], (stride,) * 3), weight, stride=stride)
        mean, variance, gamma, beta = (
            state[f"{name}.bn.{part}"].view(-1, 1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (variance + 1e-3).sqrt() * gamma + beta).clamp_min(0)

    def pool(x, size, stride):
        """Return the largest in each window, as a loop over the shifts."""
        x = same(x, size, stride, value=-math.inf)
        lengths = [(x.shape[axis + 2] - size[axis]) // stride[axis] + 1 for axis in range(3)]
        shifted = []
        for shift in torch.cartesian_prod(*map(torch.arange, size)).tolist():
            rows = [
                slice(start, start + (length - 1) * step + 1, step)
                for start, length, step in zip(shift, lengths, stride, strict=True)
            ]
            shifted.append(x[:, :, rows[0], rows[1], rows[2]])
        return torch.stack(shifted).amax(dim=0)

    features = []
    x = pool(unit("Conv3d_1a_7x7", x, 2), (1, 3, 3), (1, 2, 2))
    x = unit("Conv3d_2c_3x3", unit("Conv3d_2b_1x1", x))
    features.append(x)
    pools = {
        "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
        "Mixed_4b": ((3,) * 3, (2,) * 3),
        "Mixed_5b": ((2,) * 3, (2,) * 3),
    }
    for block in BLOCKS:
        x = pool(x, *pools[block]) if block in pools else x
        branches = [
            unit(f"{block}.b0", x),
            unit(f"{block}.b1b", unit(f"{block}.b1a", x)),
            unit(f"{block}.b2b", unit(f"{block}.b2a", x)),
            unit(f"{block}.b3b", pool(x, (3,) * 3, (1,) * 3)),
        ]
        x = torch.cat(branches, dim=1)
        if block in ("Mixed_3c", "Mixed_4f", "Mixed_5c"):
            features.append(x)
    return [x.mean(dim=(2, 3, 4)) for x in features]


def test_parameters_are_the_published_ones():
    assert millions(on_meta("i3d").recognizer) == 12.287
    assert millions(on_meta("i3d", num_classes=400)) == 12.697
    assert on_meta("i3d").recognizer.stack_channels == (192, 480, 832, 1024)


def test_multiply_adds_are_the_published_ones():
    counted = multiply_adds(on_meta("i3d"), (1, 3, 64, 224, 224))
    assert counted / 1e9 == pytest.approx(111.15, abs=0.006)


def test_the_cost_model_counts_the_same():
    cost = measure_cost(build_recognizer("i3d", num_classes=7, width=0.125, seed=0), (3, 5, 48, 64))
    meta = on_meta("i3d", num_classes=7, width=0.125)
    assert cost.multiply_adds == multiply_adds(meta, (1, 3, 5, 48, 64))
    assert cost.parameters == sum(parameter.numel() for parameter in meta.parameters())


@torch.no_grad()
@pytest.mark.parametrize("shape", [(4, 32, 32), (5, 33, 46), (1, 15, 7)])
def test_a_checkpoint_of_pytorch_i3d_computes_what_the_plain_reference_does(shape):
    # Width 1/8, rounded to multiples of 8 and at least 8.
    state = i3d_state(lambda channels: max(8, 8 * round(channels / 64)))
    network = build_recognizer("i3d", num_classes=5, width=0.125, seed=0).double().eval()
    tensors, origin = rename_tensors("i3d", state)
    assert (origin, fit_weights(network.recognizer, tensors).initial) == ("pytorch-i3d", ())
    clips = torch.randn(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for own, expected in zip(
        network.recognizer.forward_stacks(clips), i3d_by_hand(state, clips), strict=True
    ):
        torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-9)


def test_a_checkpoint_of_full_size_fits_by_name_and_shape():
    with torch.device("meta"):
        own = {name: tensor.shape for name, tensor in I3d().state_dict().items()}
    renamed = rename_tensors("i3d", i3d_state(device="meta"))[0]
    assert {name: tensor.shape for name, tensor in renamed.items()} == own


def test_unknown_tensors_of_a_checkpoint_are_refused():
    network = build_recognizer("i3d", num_classes=5, width=0.125, seed=0)
    state = i3d_state(lambda channels: max(8, 8 * round(channels / 64)))
    state["Mixed_3b.b3a.bn.weight"] = torch.ones(8)
    with pytest.raises(InputError, match=re.escape("1 tensor unexpected (Mixed_3b.b3a.bn.weight)")):
        fit_weights(network.recognizer, rename_tensors("i3d", state)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"width": 0.0}, "width must be positive"), ({"in_channels": 0}, "in_channels must be at least 1")],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        I3d(**options)
