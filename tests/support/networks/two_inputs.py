"""Small recognizer of frames with heatmaps, and the package that offers it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models import PrunableFilters
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.recognizer import Recognizer
from support.fakes.fake_packages import installed_package

SHAPE = {"frames": (3, 2, 10, 8), "heatmaps": (5, 4, 6, 6)}
"""Shape of a clip for tests without a data loader."""
OVERRIDES = (
    "clips={input='frames+heatmaps', num_frames=4, resize_px=16, crop_px=12, num_map_frames=4, map_px=8}",
    "clips.num_persons=1",
    "clips.test_sets=2",
    "recognizer={name='two-inputs'}",
    "optimisation.batch_size=36",
)
"""Overrides of the tiny space."""

_SETTINGS = """
from autohier.config.trial.recognizers import FramesHeatmapsSettings
from autohier.extensions import Extension

two_inputs = Extension("support.networks.two_inputs:TwoInputs", settings=FramesHeatmapsSettings)
"""


class TwoInputs(Recognizer):
    """A convolution on each input, then two on the features of both."""

    def __init__(self, *, in_channels: int = 3, num_maps: int = 5, width: float = 1.0) -> None:
        super().__init__()
        channels = round(4 * width)
        self.conv1 = nn.Conv3d(in_channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(num_maps, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(channels)
        self.conv3 = nn.Conv1d(2 * channels, 3 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm1d(3 * channels)
        self.conv4 = nn.Conv1d(3 * channels, 3 * channels, 1, bias=False)
        self.bn4 = nn.BatchNorm1d(3 * channels)
        self.stack_channels = (2 * channels, 3 * channels, 3 * channels)

    def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
        frames_BC = F.relu(self.bn1(self.conv1(batch["frames"]))).mean(dim=(2, 3, 4))
        maps_BC = F.relu(self.bn2(self.conv2(batch["heatmaps"]))).mean(dim=(2, 3, 4))
        both_BC = torch.cat([frames_BC, maps_BC], dim=1)
        joined_BC1 = F.relu(self.bn3(self.conv3(both_BC[..., None])))
        last_BC1 = F.relu(self.bn4(self.conv4(joined_BC1)))
        return [both_BC, joined_BC1.squeeze(-1), last_BC1.squeeze(-1)]

    def prunable_filters(self) -> list[PrunableFilters]:
        pairs = ((f"conv{index}", f"bn{index}") for index in (1, 2, 3, 4))
        return [
            PrunableFilters(name, self.get_submodule(name), self.get_submodule(norm))  # type: ignore[arg-type]
            for name, norm in pairs
        ]


def build_two_inputs() -> HierarchicalRecognizer:
    """Build the network with heads of 2, 3 and 7 outputs, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return HierarchicalRecognizer(TwoInputs(), (2, 3, 7))


def two_input_clips(number: int) -> dict[str, Tensor]:
    """Return clips of noise by name, always the same."""
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn((number, *shape), generator=generator) for name, shape in SHAPE.items()}


@contextmanager
def two_inputs_package(folder: Path) -> Iterator[None]:
    """Install the package in an empty folder."""
    with installed_package(
        folder,
        name="two-inputs-package",
        version="1.0",
        modules={"two_input_settings": _SETTINGS},
        entry_points={"autohier.recognizers": "two-inputs = two_input_settings:two_inputs"},
    ):
        yield
