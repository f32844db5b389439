"""Every recognizer, so small that it computes at once."""

import torch
from torch import nn

from autohier.models import build_recognizer

CASES = {
    "inflated-resnet18": ({"width": 0.125}, (2, 3, 4, 32, 32)),
    "inflated-resnet34": ({"width": 0.125, "in_channels": 1}, (2, 1, 2, 32, 32)),
    "inflated-resnet50": ({"width": 0.125, "initialisation": "fan-out"}, (2, 3, 2, 32, 32)),
    "inflated-resnet101": ({"width": 0.0625}, (2, 3, 1, 32, 32)),
    "st-gcn": ({"width": 0.125, "layout": "coco-17"}, (2, 2, 8, 17, 3)),
    "st-gcn++": ({"width": 0.5, "layout": "kinect-v1-20"}, (2, 1, 12, 20, 3)),
    "tcn": ({"width": 0.125, "layout": "kinect-v1-20", "num_frames_seen": 3}, (2, 2, 8, 20, 3)),
    "pose-slowonly": ({"width": 0.25}, (2, 17, 4, 16, 16)),
    "pose-slowonly-small": ({"width": 0.5, "in_channels": 5}, (2, 5, 4, 16, 16)),
    "pose-slowonly-shallow": ({"width": 0.25, "initialisation": "fan-out"}, (2, 17, 3, 24, 16)),
}
"""Options and the shape of a batch; a new recognizer is one line."""


def build_small(name):
    """A recognizer with heads of 2, 3 and 7 outputs; always of the same weights."""
    return build_recognizer(name, num_classes=7, superclasses=(2, 3), seed=3, **CASES[name][0])


def small_batch(name):
    """Two clips of noise; always the same."""
    return torch.randn(CASES[name][1], generator=torch.Generator().manual_seed(1))


def with_lived_in_norms(network):
    """Give batch norms statistics and affines that are not their starting ones."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.running_mean, module.bias.data):
                tensor.normal_(0.0, 0.1, generator=generator)
            for tensor in (module.running_var, module.weight.data):
                tensor.uniform_(0.5, 1.5, generator=generator)
    return network
