"""Shapes of outputs, compared with those that the layers compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from autohier.core.pruning.output_shapes import output_shape

CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@st.composite
def axes(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """Options of a convolution with one value for each axis, and sizes that the kernel fits."""
    number = draw(st.integers(1, 3))
    each = {
        "size": st.integers(9, 12),
        "kernel_size": st.integers(1, 4),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 2),
        "dilation": st.integers(1, 2),
    }
    return {name: tuple(draw(values) for _ in range(number)) for name, values in each.items()}


@given(options=axes(), batched=st.booleans())
def test_of_convolutions(options: dict[str, tuple[int, ...]], batched: bool) -> None:
    size = options.pop("size")
    read = torch.zeros(*((2,) if batched else ()), 3, *size)
    layer = CONVOLUTIONS[len(size)](3, 4, **options)
    assert output_shape(layer, read) == layer(read).shape


@given(options=axes())
def test_of_transposed_convolutions(options: dict[str, tuple[int, ...]]) -> None:
    size = options.pop("size")
    read = torch.zeros(2, 3, *size)
    added = tuple(
        max(stride, dilation) - 1
        for stride, dilation in zip(options["stride"], options["dilation"], strict=True)
    )
    layer = TRANSPOSED[len(size)](3, 4, output_padding=added, **options)
    assert output_shape(layer, read) == layer(read).shape


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_of_named_paddings(padding: str, kernel: int) -> None:
    layer = nn.Conv2d(3, 4, (kernel, 3), padding=padding, dilation=(2, 1))
    read = torch.zeros(2, 3, 7, 8)
    assert output_shape(layer, read) == layer(read).shape


def test_of_a_linear_layer() -> None:
    assert output_shape(nn.Linear(3, 4), torch.zeros(2, 5, 3)) == (2, 5, 4)


class Doubled(nn.Conv1d):
    """Convolution with a computation of its own."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(torch.cat([input, input], dim=-1))


class Stated(Doubled):
    def output_shape(self, read: Tensor) -> tuple[int, ...]:
        return (*read.shape[:-2], self.out_channels, 0)


def test_a_layer_may_compute_in_its_own_way() -> None:
    read = torch.zeros(2, 3, 5)
    layer = Doubled(3, 4, 1)
    assert output_shape(layer, read) == layer(read).shape == (2, 4, 10)
    assert output_shape(Stated(3, 4, 1), read) == (2, 4, 0)
