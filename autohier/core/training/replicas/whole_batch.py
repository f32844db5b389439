"""Layers that read the whole batch, although every rank computes its share only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from autohier.core.training.replicas.base import Replicas
from autohier.core.training.replicas.batch_norm import norm_over_ranks, require_known_norm
from autohier.core.training.replicas.current_part import CurrentPart
from autohier.core.training.replicas.dropout import (
    drop_rows_of_batch,
    require_known_dropout,
    unknown_sampling,
)
from autohier.data.inputs.share import PartShare


@contextmanager
def whole_batch_layers(network: nn.Module, replicas: Replicas) -> Iterator[CurrentPart]:
    """Let batch norms and dropout layers of a network compute as if one process held the whole batch.

    Only their forward methods are replaced, and only in the block: modules, names of tensors and hooks stay.
    The caller sets `CurrentPart.share` before each forward pass.

    A network that normalizes over clips or samples by functions, and not by modules, is not supported: its
    results depend on the number of ranks.

    Raises:
        InputError: if a layer samples or normalizes in a way that is not known.
    """
    part = CurrentPart(replicas, PartShare(0, 0, 1, 1))
    replaced: list[nn.Module] = []
    if replicas.width > 1:
        # A compiler cannot look into communication. Its import takes a second.
        is_compiled = any(module._compiled_call_impl is not None for module in network.modules())  # noqa: SLF001
        eager = torch.compiler.disable if is_compiled else _as_it_is
        for name, module in network.named_modules():
            if isinstance(module, _BatchNorm):
                require_known_norm(name, module)
                forward = partial(norm_over_ranks, module, part)
            elif isinstance(module, nn.RReLU):
                raise unknown_sampling(name, module)
            elif isinstance(module, _DropoutNd):
                require_known_dropout(name, module)
                forward = partial(drop_rows_of_batch, module, part)
            else:
                continue
            module.forward = eager(forward)
            replaced.append(module)
    try:
        yield part
    finally:
        for module in replaced:
            del module.forward


def _as_it_is(forward: partial[torch.Tensor]) -> partial[torch.Tensor]:
    return forward
