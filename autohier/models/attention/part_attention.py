"""P-I3D: an I3D for each hand and the body, weighed by attention from the poses (Das et al., WACV 2019).

Three I3D read pictures of the parts. An LSTM reads the skeletons of the same clip; a softmax layer on its
last state weighs the parts. The features of a stack are those of the parts, weighed, summed or concatenated.

As published: the attention starts equal, and the loss has a penalty of attention that is not shared. Unlike
published: the heads are linear on the averaged features, as those of all recognizers, so that stacks carry
superclasses, and every stack is weighed, not the last alone.

Legend: B clips, C channels or coordinates, M persons, T frames, V joints, H W pixels, K parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, cast, get_args

import torch
from torch import Tensor, nn

from autohier.data.transforms.parts import PART_NAMES
from autohier.errors import InputError
from autohier.models.attention.pose_lstm import PoseLstm
from autohier.models.convolutional.i3d import I3d
from autohier.models.gates import WeightedSum, Weighting, columns
from autohier.models.recognizer import PrunableFilters, Recognizer

Aggregation = Literal["sum", "concat"]
Member = Literal["whole", "left_hand", "right_hand", "body", "pose"]
_POSE: Final = "pose"
_ATTENTION_CHANNELS: Final = 128


def part_attention(
    *,
    width: float = 1.0,
    pose_width: int = 512,
    in_channels: int = 3,
    layout: str | Mapping[str, object] = "kinect-v2-25",
    num_persons: int = 2,
    aggregation: Aggregation = "sum",
    attention_penalty: float = 1e-5,
    attention_dropout: float = 0.5,
    member: Member = "whole",
) -> Recognizer:
    """Return the network, or one member of it alone, which reads the same clips; see `PartAttention`.

    Raises:
        InputError: if an argument is out of range.
    """
    if member not in get_args(Member):
        raise InputError(f"member must be one of {', '.join(get_args(Member))}", got=repr(member))
    if member in PART_NAMES:
        return Alone(member, I3d(width=width, in_channels=in_channels))
    pose = PoseLstm(layout=layout, num_persons=num_persons, hidden=pose_width)
    if member == _POSE:
        return Alone(member, pose)
    return PartAttention(
        {part: I3d(width=width, in_channels=in_channels) for part in PART_NAMES},
        pose,
        aggregation=aggregation,
        attention_penalty=attention_penalty,
        attention_dropout=attention_dropout,
    )


class PartAttention(Recognizer):
    """Network on the parts [B, C, T, H, W] and skeletons [B, M, T, V, 3], in four stacks.

    Args:
        parts: network of each part, all with the same channels.
        pose: network of the skeletons.
        aggregation: "sum" of the parts' weighted features, or "concat", which triples the channels.
        attention_penalty: weight of the auxiliary loss, the sum over parts of (1 - attention)^2.
        attention_dropout: dropout on what the attention reads.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        parts: dict[str, I3d],
        pose: PoseLstm,
        *,
        aggregation: Aggregation = "sum",
        attention_penalty: float = 1e-5,
        attention_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if aggregation not in get_args(Aggregation):
            raise InputError("aggregation must be sum or concat", got=repr(aggregation))
        if attention_penalty < 0 or not 0 <= attention_dropout < 1:
            raise InputError(
                "attention_penalty must be at least 0, and attention_dropout lie in [0, 1)",
                got=(attention_penalty, attention_dropout),
            )
        self.part_names = tuple(parts)
        for name, network in parts.items():
            self.add_module(name, network)
        self.pose = pose
        last = nn.Linear(_ATTENTION_CHANNELS, len(parts))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.attention = nn.Sequential(
            nn.Dropout(attention_dropout),
            nn.Linear(pose.stack_channels[-1], _ATTENTION_CHANNELS),
            nn.Tanh(),
            last,
        )
        self.weighting = WeightedSum() if aggregation == "sum" else Weighting()
        self._penalty = attention_penalty
        self._auxiliary_loss: Tensor | None = None
        own = next(iter(parts.values())).stack_channels
        self.stack_channels = (
            own if aggregation == "sum" else tuple(len(parts) * channels for channels in own)
        )

    def attention_weights(self, skeletons_BMTVC: Tensor) -> Tensor:
        """Return the weight of every part, [B, K], which sum to one."""
        scores_BK: Tensor = self.attention(self.pose.forward_stacks(skeletons_BMTVC)[-1])
        return scores_BK.softmax(dim=1)

    def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """Return each stack's output of all parts, averaged over frames and pixels and weighed."""
        weights_BK = self.attention_weights(batch["skeletons"])
        if self.training and self._penalty:
            self._auxiliary_loss = self._penalty * (1 - weights_BK).square().sum(dim=1).mean()
        features = [part.forward_stacks(batch[name]) for name, part in self._parts()]
        return [self._joined(of_parts, weights_BK) for of_parts in zip(*features, strict=True)]

    def _joined(self, of_parts: Sequence[Tensor], weights_BK: Tensor) -> Tensor:
        if isinstance(self.weighting, WeightedSum):
            total_BC: Tensor = self.weighting(of_parts, weights_BK)
            return total_BC
        pairs = zip(of_parts, columns(weights_BK), strict=True)
        return torch.cat([self.weighting(*pair) for pair in pairs], dim=1)

    def take_auxiliary_loss(self) -> Tensor | None:
        """Return the penalty of the last pass in training: lowest if all parts get the same attention."""
        taken, self._auxiliary_loss = self._auxiliary_loss, None
        return taken

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the parts, one part after the other."""
        return [
            replace(each, name=f"{name}.{each.name}")
            for name, part in self._parts()
            for each in part.prunable_filters()
        ]

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the tensors that read frames or joints."""
        members = (*self._parts(), (_POSE, self.pose))
        return frozenset(f"{name}.{each}" for name, member in members for each in member.data_tensors())

    def _parts(self) -> list[tuple[str, Recognizer]]:
        return [
            (name, part) for name in self.part_names if isinstance(part := getattr(self, name), Recognizer)
        ]


class Alone(Recognizer):
    """One member of the network as a recognizer of its own, a submodule of the same name.

    Args:
        name: of the member.
        network: the member.
    """

    def __init__(self, name: str, network: Recognizer) -> None:
        super().__init__()
        self._name = name
        self._reads = "skeletons" if name == _POSE else name
        self.add_module(name, network)
        self.stack_channels = network.stack_channels

    def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """Return the features of the member."""
        return self._member.forward_stacks(batch[self._reads])

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the member."""
        return [replace(each, name=f"{self._name}.{each.name}") for each in self._member.prunable_filters()]

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the member's tensors that depend on the data."""
        return frozenset(f"{self._name}.{each}" for each in self._member.data_tensors())

    @property
    def _member(self) -> Recognizer:
        return cast("Recognizer", self.get_submodule(self._name))
