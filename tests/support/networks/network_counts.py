"""Parameter and operation counts of full-size networks on the meta device."""

import torch
from torch import nn

from autohier.models import build_recognizer


def on_meta(name, **options):
    """Build a full-size network that takes no memory."""
    with torch.device("meta"):
        return build_recognizer(name, num_classes=options.pop("num_classes", 60), **options)


def millions(network):
    """Return the number of parameters in millions."""
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 3)


def multiply_adds(network, shape):
    """Count multiply-adds: for every convolution and linear layer, outputs times weights per output."""
    counted = []
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.Linear):
            module.register_forward_hook(
                lambda layer, _, out: counted.append(out.numel() * layer.weight[0].numel())
            )
    network(torch.empty(shape, device="meta"))
    return sum(counted)
