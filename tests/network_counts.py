"""Counting a full-size network that computes nothing."""

import torch
from torch import nn

from autohier.models import build_recognizer


def on_meta(name, **options):
    """A full-size network that holds no memory."""
    with torch.device("meta"):
        return build_recognizer(name, num_classes=options.pop("num_classes", 60), **options)


def millions(network):
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 3)


def multiply_adds(network, shape):
    """Outputs of every convolution and linear layer times the weights each is made from."""
    counted = []
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.Linear):
            module.register_forward_hook(
                lambda layer, _, out: counted.append(out.numel() * layer.weight[0].numel())
            )
    network(torch.empty(shape, device="meta"))
    return sum(counted)
