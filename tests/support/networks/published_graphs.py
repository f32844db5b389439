"""Published graph networks, as other packages save and compute them: random weights, and layers by name.

Legend: B clips, M persons, C channels, T frames, V joints.
"""

import torch
import torch.nn.functional as F  # noqa: N812


class PublishedWeights:
    """Random weights by published names, in float64."""

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        self.state = {}

    def tensor(self, name, *shape, scale=1.0):
        self.state[name] = scale * torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def convolution(self, name, read, written, *kernel):
        weight = torch.randn(written, read, *kernel, generator=self.generator, dtype=torch.float64)
        self.state[f"{name}.weight"] = weight / weight[0].numel() ** 0.5
        self.tensor(f"{name}.bias", written, scale=0.1)

    def norm(self, name, size):
        for part in ("weight", "bias", "running_mean", "running_var"):
            sampled = torch.rand(size, generator=self.generator, dtype=torch.float64)
            self.state[f"{name}.{part}"] = 0.5 + sampled
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def shortcut(self, convolution, norm, read, written):
        self.convolution(convolution, read, written, 1, 1)
        self.norm(norm, written)

    def branches(self, path, read, written, num_frames_seen, num_branches):
        """Add temporal branches: dilated ones, a pooled one and a 1x1 convolution, each with norms."""
        narrow = written // num_branches
        last = written - narrow * (num_branches - 1)
        for branch in range(num_branches - 1):
            self.convolution(f"{path}.branches.{branch}.0", read, narrow, 1, 1)
            self.norm(f"{path}.branches.{branch}.1", narrow)
            if branch < num_branches - 2:
                self.convolution(f"{path}.branches.{branch}.3.conv", narrow, narrow, num_frames_seen, 1)
                self.norm(f"{path}.branches.{branch}.3.bn", narrow)
            else:
                self.norm(f"{path}.branches.{branch}.4", narrow)
        self.convolution(f"{path}.branches.{num_branches - 1}.0", read, last, 1, 1)
        self.norm(f"{path}.branches.{num_branches - 1}.1", last)


class PublishedLayers:
    """Layers of a published network in evaluation, by the names of its weights."""

    def __init__(self, state):
        self.state = state

    def conv(self, name, x, stride=1, dilation=1):
        weight = self.state[f"{name}.weight"]
        padding = dilation * (weight.shape[2] // 2)
        return F.conv2d(x, weight, self.state[f"{name}.bias"], (stride, 1), (padding, 0), (dilation, 1))

    def normed(self, name, x):
        parts = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(self.state[f"{name}.{part}"] for part in parts))

    def shortcut(self, convolution, norm, x, stride=1):
        if f"{convolution}.weight" not in self.state:
            return x
        return self.normed(norm, self.conv(convolution, x, stride))

    def branches(self, path, x, stride, num_branches):
        parts = []
        for branch in range(num_branches - 1):
            at = f"{path}.branches.{branch}"
            part = F.relu(self.normed(f"{at}.1", self.conv(f"{at}.0", x)))
            if branch < num_branches - 2:
                part = self.conv(f"{at}.3.conv", part, stride, dilation=branch + 1)
                parts.append(self.normed(f"{at}.3.bn", part))
            else:
                parts.append(self.normed(f"{at}.4", F.max_pool2d(part, (3, 1), (stride, 1), (1, 0))))
        last = f"{path}.branches.{num_branches - 1}"
        return torch.cat([*parts, self.normed(f"{last}.1", self.conv(f"{last}.0", x, stride))], dim=1)

    def persons(self, clips_BMTVC, norm="data_bn"):
        """Normalize all coordinates of all persons of a clip together: [B M, C, T, V]."""
        num_clips, num_persons, num_frames, num_joints, num_coordinates = clips_BMTVC.shape
        columns = clips_BMTVC.permute(0, 1, 3, 4, 2).reshape(num_clips, -1, num_frames)
        split = self.normed(norm, columns).view(
            num_clips * num_persons, num_joints, num_coordinates, num_frames
        )
        return split.permute(0, 2, 3, 1)


def pooled(x_NCTV, num_persons):
    return x_NCTV.mean(dim=(2, 3)).unflatten(0, (-1, num_persons)).mean(dim=1)
