"""Recognizer ``frame-mlp`` for autohier: its settings and its registration.

Reading a search space imports this module, which therefore does not import torch.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from autohier.config.trial.clips import ClipInputName
from autohier.config.trial.recognizers import RecognizerSettings
from autohier.extensions import Extension


class FrameMlpSettings(RecognizerSettings):
    """Settings of a multilayer perceptron on the joints of each frame."""

    reads: ClassVar[ClipInputName] = "skeletons"
    name: str = "frame-mlp"
    """frame-mlp."""
    hidden: PositiveInt = 64
    """Channels of every stack."""
    num_stacks: PositiveInt = 3
    """Number of stacks, of one layer each."""


extension = Extension("autohier_frame_mlp.network:FrameMlp", settings=FrameMlpSettings)
