"""Slow, plain reference of residual stacks of bottlenecks, computed from a state dict."""

import math

import torch
import torch.nn.functional as F  # noqa: N812


def normed(state, name, x):
    """Apply a batch norm in evaluation mode, from the parameters of a network."""
    mean, variance, gamma, beta = (
        state[f"{name}.{part}"].view(-1, 1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * gamma + beta


def convolved(state, name, norm, x, stride=(1, 1, 1)):
    """Apply a convolution that keeps the extent at stride 1, then its norm."""
    weight = state[f"{name}.weight"]
    padding = tuple(size // 2 for size in weight.shape[2:])
    return normed(state, norm, F.conv3d(x, weight, stride=stride, padding=padding))


def pooled_by_hand(x, stride=1):
    """Return the largest of the 3 by 3 pixels around each pixel, as loops over the shifts."""
    rows, columns = x.shape[-2:]
    framed = F.pad(x, (1, 1, 1, 1), value=-math.inf)
    shifted = [framed[..., i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return torch.stack(shifted).amax(dim=0)[..., ::stride, ::stride]


def stack_by_hand(state, at, num_blocks, stride, x):
    """Pass data through the bottlenecks of one stack; the second convolution of the first one strides."""
    for block in range(num_blocks):
        name, step = f"{at}.{block}", (1, 1, 1) if block else stride
        out = convolved(state, f"{name}.conv1", f"{name}.bn1", x).clamp_min(0)
        out = convolved(state, f"{name}.conv2", f"{name}.bn2", out, step).clamp_min(0)
        out = convolved(state, f"{name}.conv3", f"{name}.bn3", out)
        x = x if block else convolved(state, f"{name}.downsample.0", f"{name}.downsample.1", x, step)
        x = (out + x).clamp_min(0)
    return x
