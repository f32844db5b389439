"""Operations that no traced layer covers: matrix products are counted, unknown ones are refused.

Legend: B matrices of a batch, N rows of the first factor, K its columns, M columns of the second factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import UnionType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from autohier.errors import InputError

_WITHOUT_PRODUCTS: Final = (
    *(nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict),
    *(nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)
"""Modules of torch that may have parameters and whose operations do not count or are seen."""

_FACTORS: Final = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "addmm": 1, "addbmm": 1, "baddbmm": 1, "addmv": 1}
"""Matrix products by their names in torch, with the position of the first factor."""

_FUSED: Final = ("scaled_dot_product", "attention", "lstm", "gru", "rnn")
"""Parts of the names of operations that contain matrix products which cannot be seen."""


def refuse_unknown_layers(network: nn.Module, known: tuple[UnionType, ...]) -> None:
    """Refuse modules of torch with weights whose computation cannot be counted or pruned.

    Modules that are not torch's compute with operations and modules that are traced.

    Args:
        network: the network to trace.
        known: types of the layers that are traced, for isinstance.

    Raises:
        InputError: if there is one, e.g. an LSTM.
    """
    for name, module in network.named_modules():
        own = any(parameter is not None for parameter in vars(module)["_parameters"].values())
        if not own or isinstance(module, (*known, *_WITHOUT_PRODUCTS)):
            continue
        of_torch = [each for each in type(module).__mro__ if each.__module__.startswith("torch.nn.modules.")]
        if any(each is not nn.Module for each in of_torch):
            raise InputError(
                "every layer with weights must be one whose cost and channels are known",
                got=f"{type(module).__name__} at {name or 'the network'}",
                hint="use convolutions and linear layers, or write the layer with matrix products",
            )


class MatrixProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the multiply-adds of matrix products and convolutions that no layer calls.

    NaN marks values that are alive, as in `core.pruning.liveness`. A multiplication counts if one factor is
    alive: a product with a dead channel vanishes with it, and a product of constants is the same for every
    clip.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend counting inside the block, since an intercepted operation takes several times as long.

        Enter the block only while this is the innermost dispatch mode.
        """
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            self.__enter__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, since torch would import its compiler, two seconds in every process."""
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        out = func(*args, **(kwargs or {}))
        name = str(getattr(func, "overloadpacket", func)).rpartition(".")[2]
        if name in _FACTORS:
            one, other = args[_FACTORS[name] :][:2]
            if not one.is_meta:
                self.multiply_adds += live_products(one, other)
        elif name.startswith(("convolution", "_convolution")):
            if not out.is_meta:
                self.multiply_adds += out.numel() * math.prod(args[1].shape[1:])
        elif any(part in name for part in _FUSED):
            raise InputError(
                "every operation must be one whose multiply-adds can be counted",
                got=name.removeprefix("_"),
                hint="write it with matrix products",
            )
        return out


def live_products(one: Tensor, other: Tensor) -> int:
    """Return the number of multiplications with a live factor of a product of matrices or vectors.

    Args:
        one: first factor, ``[B, N, K]``, ``[N, K]`` or ``[K]``.
        other: second factor, ``[B, K, M]``, ``[K, M]`` or ``[K]``.
    """
    one_BNK = one[None] if one.ndim == 1 else one
    other_BKM = other[:, None] if other.ndim == 1 else other
    num_rows, num_columns = one_BNK.shape[-2], other_BKM.shape[-1]
    constant_BK = (~one_BNK.isnan()).sum(dim=-2, dtype=torch.int64)
    constant_too_BK = (~other_BKM.isnan()).sum(dim=-1, dtype=torch.int64)
    return int((num_rows * num_columns - constant_BK * constant_too_BK).sum())
