"""Parts of graph networks, computed step by step from their weights: references for tests.

Legend: N clips times persons, C channels, F filters, K frames of a kernel, T frames, V joints.
"""

import torch


def normed(state, path, x):
    """Normalize the channels [N, C, ...] with running statistics, as in evaluation."""
    columns = []
    for channel in range(x.shape[1]):
        mean, variance = state[f"{path}.running_mean"][channel], state[f"{path}.running_var"][channel]
        scaled = (x[:, channel] - mean) / (variance + 1e-5).sqrt()
        columns.append(scaled * state[f"{path}.weight"][channel] + state[f"{path}.bias"][channel])
    return torch.stack(columns, dim=1)


def mixed(weight_FC, bias_F, x):
    """Apply filters of size one to [N, C, ...]."""
    rows = []
    for weight_C, bias in zip(weight_FC, bias_F, strict=True):
        weighted = weight_C.view(1, -1, *[1] * (x.ndim - 2)) * x
        rows.append(weighted.sum(dim=1) + bias)
    return torch.stack(rows, dim=1)


def over_time(weight_FCK, bias_F, x_NCTV, *, stride=1, dilation=1):
    """Apply filters to frames around every stride-th frame; frames outside are zeros."""
    num_frames, num_taps = x_NCTV.shape[2], weight_FCK.shape[2]
    frames = []
    for center in range(0, num_frames, stride):
        total = bias_F[None, :, None].expand(len(x_NCTV), -1, x_NCTV.shape[3])
        for tap in range(num_taps):
            seen = center + dilation * (tap - num_taps // 2)
            if 0 <= seen < num_frames:
                total = total + torch.stack([weight_FCK[:, :, tap] @ x_CV for x_CV in x_NCTV[:, :, seen]])
        frames.append(total)
    return torch.stack(frames, dim=2)


def largest_of_three(x_NCTV, stride):
    """Return the largest value of every stride-th frame and its two neighbors."""
    frames = range(0, x_NCTV.shape[2], stride)
    return torch.stack([x_NCTV[:, :, max(at - 1, 0) : at + 2].amax(dim=2) for at in frames], dim=2)


def branches(state, path, x_NCTV, stride, dilations):
    """Return the normalized outputs of parallel branches."""
    entered = mixed(state[f"{path}.entry.weight"][..., 0, 0], state[f"{path}.entry.bias"], x_NCTV)
    entered = normed(state, f"{path}.entry_bn", entered).clamp_min(0)
    outputs, first = [], 0
    for index, dilation in enumerate(dilations):
        weight_FCK = state[f"{path}.dilated.{index}.weight"][..., 0]
        part = entered[:, first : first + weight_FCK.shape[1]]
        bias_F = state[f"{path}.dilated.{index}.bias"]
        outputs.append(over_time(weight_FCK, bias_F, part, stride=stride, dilation=dilation))
        first += weight_FCK.shape[1]
    outputs.append(largest_of_three(entered[:, first:], stride))
    weight_FC, bias_F = state[f"{path}.pointwise.weight"][..., 0, 0], state[f"{path}.pointwise.bias"]
    outputs.append(mixed(weight_FC, bias_F, x_NCTV[:, :, ::stride]))
    return normed(state, f"{path}.branches_bn", torch.cat(outputs, dim=1))


def shortcut(state, path, x_NCTV, stride=1):
    """Return what passes around a unit: x itself, or its projection if the unit has one."""
    if f"{path}.conv.weight" not in state:
        return x_NCTV
    weight_FC, bias_F = state[f"{path}.conv.weight"][..., 0, 0], state[f"{path}.conv.bias"]
    return normed(state, f"{path}.bn", mixed(weight_FC, bias_F, x_NCTV[:, :, ::stride]))


def normed_persons(state, batch_BMTVC):
    """Normalize every coordinate of every joint of every person by itself: [N, C, T, V]."""
    out = torch.empty_like(batch_BMTVC)
    _, num_persons, _, num_joints, num_coordinates = batch_BMTVC.shape
    for person in range(num_persons):
        for joint in range(num_joints):
            for coordinate in range(num_coordinates):
                channel = (person * num_joints + joint) * num_coordinates + coordinate
                mean, variance, gamma, beta = (
                    state[f"data_bn.{each}"][channel]
                    for each in ("running_mean", "running_var", "weight", "bias")
                )
                column = batch_BMTVC[:, person, :, joint, coordinate]
                out[:, person, :, joint, coordinate] = (column - mean) / (
                    variance + 1e-5
                ).sqrt() * gamma + beta
    return out.flatten(0, 1).permute(0, 3, 1, 2)


def gathered(x_NCTV, weights_VW):
    """Let every joint sum what it gathers; the weights may differ by clip and channel."""
    columns = []
    for to_joint in range(weights_VW.shape[-1]):
        column = torch.zeros_like(x_NCTV[..., 0])
        for from_joint in range(weights_VW.shape[-2]):
            weight = weights_VW[..., from_joint, to_joint]
            column = column + weight[..., None] * x_NCTV[..., from_joint]
        columns.append(column)
    return torch.stack(columns, dim=-1)


def pooled(x_NCTV, num_persons):
    """Return the mean over frames, joints and persons: [B, C]."""
    return x_NCTV.flatten(2).mean(dim=2).view(-1, num_persons, x_NCTV.shape[1]).mean(dim=1)


def with_random_state(network):
    """Replace all weights and statistics of a network by random values, in float64, for evaluation."""
    generator = torch.Generator().manual_seed(2)
    network.double().eval()
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_var", "bn.weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(0.0, 0.3, generator=generator)
    return network
