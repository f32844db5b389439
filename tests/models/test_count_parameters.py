"""Counting the parameters of a recognizer without building it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autohier.config.trial.recognizers import RECOGNIZERS
from autohier.errors import InputError
from autohier.extensions import Extension
from autohier.models import PrunableFilters, Recognizer, build_recognizer, count_parameters

OPTIONS: dict[str, dict[str, Any]] = {
    "inflated-resnet18": {"width": 0.25},
    "inflated-resnet50": {"width": 0.25},
    "st-gcn": {"width": 0.25, "layout": "kinect-v2-25"},
    "st-gcn++": {"width": 0.25, "layout": "kinect-v2-25"},
    "ctr-gcn": {"width": 0.25, "layout": "kinect-v2-25"},
    "aagcn": {"width": 0.25, "layout": "kinect-v2-25", "num_persons": 1},
    "ms-g3d": {"width": 0.25, "layout": "kinect-v2-25", "windows": (3,)},
    "tcn": {"width": 0.25, "layout": "kinect-v2-25"},
    "pose-slowonly": {"width": 0.25, "in_channels": 17},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_count_is_that_of_the_built_network(name: str) -> None:
    options = OPTIONS[name]
    network = build_recognizer(name, num_classes=6, superclasses=(2, 3), seed=0, **options)
    expected = sum(parameter.numel() for parameter in network.parameters())
    assert count_parameters(name, num_classes=6, superclasses=(2, 3), **options) == expected


def test_a_network_larger_than_any_memory_is_counted() -> None:
    # A convolution of k by k between layers of width w has about w^2 as many weights as one of width 1.
    small = count_parameters("inflated-resnet18", num_classes=6, width=1.0)
    assert count_parameters("inflated-resnet18", num_classes=6, width=1000.0) == pytest.approx(
        1000**2 * small, rel=0.01
    )


def test_the_compiler_is_not_imported() -> None:
    code = (
        "import sys; from autohier.models import count_parameters; "
        "count_parameters('inflated-resnet18', num_classes=6); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_recognizer_that_needs_its_weights_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[str] = []

    class Scaled(Recognizer):
        stack_channels = (4,)

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 4)
            devices.append(self.layer.weight.device.type)
            self.factor = 1 / self.layer.weight.norm().item()

        def forward_stacks(self, clips: Tensor) -> list[Tensor]:
            return [self.layer(clips) * self.factor]

        def prunable_filters(self) -> list[PrunableFilters]:
            return []

    _register(monkeypatch, Scaled)
    # 3 * 4 weights and 4 biases; the head has 4 * 6 weights and 6 biases.
    assert count_parameters("scaled", num_classes=6) == 16 + 30
    assert devices == ["meta", "cpu"]


def test_errors_are_those_of_building() -> None:
    with pytest.raises(InputError, match="unknown option 'widht' of inflated-resnet18"):
        count_parameters("inflated-resnet18", num_classes=6, widht=2)
    with pytest.raises(InputError, match="carries 1 to 4 heads, but got 6"):
        count_parameters("inflated-resnet18", num_classes=6, superclasses=[2] * 5)


def test_the_random_state_stays() -> None:
    before = torch.get_rng_state()
    count_parameters("inflated-resnet18", num_classes=6, width=0.125)
    assert torch.equal(torch.get_rng_state(), before)


def _register(monkeypatch: pytest.MonkeyPatch, builder: Callable[[], Recognizer]) -> None:
    class _Loaded(Extension):
        def load(self) -> Callable[[], Recognizer]:
            return builder

    monkeypatch.setattr(type(RECOGNIZERS), "find", lambda *_: _Loaded("scaled:Scaled"))
