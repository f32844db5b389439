"""Recognizers by name, with their heads."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from autohier.config.trial.recognizers import RECOGNIZERS
from autohier.errors import InputError, nearest
from autohier.models.convolutional.inflation import Inflation, load_2d_weights
from autohier.models.hierarchical import HeadPlacement, HierarchicalRecognizer
from autohier.models.recognizer import Recognizer

_RANDOM_FILLS = frozenset(
    {
        *(Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.trunc_normal_),
        *(nn.init.kaiming_normal_, nn.init.kaiming_uniform_, nn.init.xavier_normal_, nn.init.xavier_uniform_),
    }
)


def build_recognizer(
    name: str,
    *,
    num_classes: int,
    superclasses: Sequence[int] = (),
    heads: HeadPlacement = "stacks",
    weights: Path | None = None,
    inflation: Inflation = "centre",
    seed: int | None = None,
    **options: object,
) -> HierarchicalRecognizer:
    """Build a recognizer with a linear head for its classes and for each superclass level.

    Args:
        name: registered name, e.g. "inflated-resnet18".
        num_classes: outputs of the last head.
        superclasses: outputs of the heads before the last, coarse to fine.
        heads: features that the heads read; see `HierarchicalRecognizer`.
        weights: file of a 2D network's weights to start from, .safetensors or .pth.
        inflation: how these become kernels over time; see `autohier.models.convolutional.inflation`.
        seed: seed of the initial weights; the random state of the process stays unchanged. None draws from
            that state.
        options: options of the recognizer, e.g. width=0.25, in_channels=1.

    Raises:
        InputError: if the name or an option is unknown, an option is out of range, there are more heads than
            stacks, or the weights do not fit.
    """
    builder = RECOGNIZERS.find(name).load()
    valid = [*inspect.signature(builder).parameters]
    for option in options:
        if option not in valid:
            raise InputError(f"unknown option {option!r} of {name}", hint=nearest(option, valid))
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            # torch.manual_seed would also seed the accelerators, whose state is not forked.
            torch.default_generator.manual_seed(seed)
        recognizer = builder(**options)
        if not isinstance(recognizer, Recognizer):
            raise InputError(
                f"the builder of {name} must return an autohier.models.Recognizer",
                got=type(recognizer).__name__,
                hint="update its package",
            )
        network = HierarchicalRecognizer(recognizer, (*superclasses, num_classes), heads)
    if weights is not None:
        load_2d_weights(network.recognizer, weights, inflation=inflation)
    return network


def count_parameters(
    name: str,
    *,
    num_classes: int,
    superclasses: Sequence[int] = (),
    heads: HeadPlacement = "stacks",
    **options: object,
) -> int:
    """Return the number of parameters of a recognizer with its heads, without allocating them.

    The arguments and errors are those of `build_recognizer`. A recognizer of a package that computes with its
    initial weights is built.
    """
    make: Callable[..., HierarchicalRecognizer] = build_recognizer
    shape: dict[str, Any] = {"num_classes": num_classes, "superclasses": superclasses, "heads": heads}
    build = partial(make, name, seed=0, **shape, **options)
    try:
        with torch.device("meta"), _WithoutRandomFills():
            network = build()
    except RuntimeError:  # tensors without content have no values to compute with
        network = build()
    return sum(parameter.numel() for parameter in network.parameters())


class _WithoutRandomFills(TorchFunctionMode):
    """Leaves tensors as they are where they would get random values.

    Tensors without content need none, and torch would import its compiler for them, which takes seconds.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        named = kwargs or {}
        if func in _RANDOM_FILLS:
            tensor = args[0] if args else named["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **named)
