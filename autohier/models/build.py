"""Recognizers by name, with their heads."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import torch

from autohier.errors import InputError
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.inflated_resnet import DEPTHS, InflatedResNet
from autohier.models.inflation import load_2d_weights
from autohier.models.pose_conv3d import SHALLOW_NUM_BLOCKS, SMALL_BASE_CHANNELS, PoseSlowOnly
from autohier.models.recognizer import Recognizer
from autohier.models.st_gcn import StGcn, Variant
from autohier.models.temporal import TemporalConvNet

RECOGNIZERS: dict[str, Callable[..., Recognizer]] = {
    **{f"inflated-resnet{depth}": partial(InflatedResNet, depth) for depth in DEPTHS},
    **{variant: partial(StGcn, variant) for variant in get_args(Variant)},
    "tcn": TemporalConvNet,
    "pose-slowonly": PoseSlowOnly,
    "pose-slowonly-small": partial(PoseSlowOnly, base_channels=SMALL_BASE_CHANNELS),
    "pose-slowonly-shallow": partial(PoseSlowOnly, num_blocks=SHALLOW_NUM_BLOCKS),
}
"""What builds each recognizer; a new one is one line here."""


def build_recognizer(
    name: str,
    *,
    num_classes: int,
    superclasses: Sequence[int] = (),
    weights: Path | None = None,
    seed: int | None = None,
    **options: object,
) -> HierarchicalRecognizer:
    """Build a recognizer with a linear head for its classes and for each count of superclasses.

    Args:
        name: of a recognizer, e.g. "inflated-resnet18".
        num_classes: outputs of the last head.
        superclasses: outputs of the heads on the stacks just before the last, front to back.
        weights: a 2D network's .safetensors or .pth to start from.
        seed: of the initialisation; the process's random state is left as it was. None draws from that.
        options: of the recognizer, e.g. width=0.25, in_channels=1.

    Raises:
        InputError: for an unknown name, an unknown or wrong option, more heads than stacks, or weights that
            do not fit.
    """
    if name not in RECOGNIZERS:
        raise InputError(
            "the recognizer must be a known one", got=repr(name), remedy=_nearest(name, RECOGNIZERS)
        )
    builder = RECOGNIZERS[name]
    valid = [*inspect.signature(builder).parameters]
    for option in options:
        if option not in valid:
            raise InputError(
                f"options must be ones that {name} has", got=repr(option), remedy=_nearest(option, valid)
            )
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            # torch.manual_seed would also seed the accelerators, whose state is not forked.
            torch.default_generator.manual_seed(seed)
        network = HierarchicalRecognizer(builder(**options), (*superclasses, num_classes))
    if weights is not None:
        load_2d_weights(network.recognizer, weights)
    return network


def _nearest(word: str, valid: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(valid), n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(valid)}"
