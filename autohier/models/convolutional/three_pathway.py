"""Three pathways on one clip, each at its own frame rate, under a joint layer (Leong et al., ICIP 2021).

Each pathway is a SlowOnly-50 or a SlowFast-50. Their last features are concatenated, and a linear layer maps
them to one feature, which the heads of all levels read (`pass_2.heads = "last"`). With the recipe `joint`,
each pathway is trained alone for its own level first, and is frozen under the joint layer.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.convolutional.residual import Initialisation
from autohier.models.convolutional.slow_fast import SlowFast, SlowOnly
from autohier.models.recognizer import PrunableFilters, Recognizer

Network = Literal["slowonly", "slowfast"]
_NAMES = ("event", "set", "element")


class ThreePathway(Recognizer):
    """An event, a set and an element pathway on the same frames, float [B, C, T, H, W].

    Its only stack is the joint layer, linear without activation. A pathway of n frames reads the middle one
    of each of n equal groups of the clip's frames; if there are fewer than n, it reads frames repeatedly.

    Args:
        width: factor of every channel count of the pathways; see `scaled_channels`.
        in_channels: C.
        initialisation: initialization of the convolutions; see `Initialisation`.
        event_frames: frames that the event pathway reads.
        set_frames: frames that the set pathway reads.
        element_frames: frames that the element pathway reads.
        event_network: slowonly or slowfast.
        set_network: slowonly or slowfast.
        element_network: slowonly or slowfast.
        slow_stride: see `SlowFast`.
        lateral_kernel: see `SlowFast`.
        joint_width: outputs of the joint layer.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        initialisation: Initialisation = "fan-in",
        event_frames: int = 4,
        set_frames: int = 8,
        element_frames: int = 32,
        event_network: Network = "slowonly",
        set_network: Network = "slowonly",
        element_network: Network = "slowonly",
        slow_stride: int = 8,
        lateral_kernel: int = 5,
        joint_width: int = 1024,
    ) -> None:
        super().__init__()
        self.num_frames = (event_frames, set_frames, element_frames)
        if min(*self.num_frames, joint_width) < 1:
            raise InputError(
                "frames of pathways and joint_width must be at least 1", got=(*self.num_frames, joint_width)
            )

        def build(network: Network) -> Recognizer:
            if network == "slowonly":
                return SlowOnly(width=width, in_channels=in_channels, initialisation=initialisation)
            if network != "slowfast":
                raise InputError("the network of a pathway must be slowonly or slowfast", got=repr(network))
            return SlowFast(
                width=width,
                in_channels=in_channels,
                initialisation=initialisation,
                slow_stride=slow_stride,
                lateral_kernel=lateral_kernel,
            )

        self.event, self.set, self.element = map(build, (event_network, set_network, element_network))
        num_read = sum(pathway.stack_channels[-1] for pathway in self.networks)
        self.joint = nn.Linear(num_read, joint_width)
        self.stack_channels = (joint_width,)

    @property
    def networks(self) -> tuple[Recognizer, ...]:
        """The networks of event, set and element, coarse to fine."""
        return (self.event, self.set, self.element)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return the joint feature [B, C]."""
        features = [
            network.forward_stacks(middle_frames(batch, number))[-1]
            for network, number in zip(self.networks, self.num_frames, strict=True)
        ]
        return [self.joint(torch.cat(features, dim=1))]

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the pathways: event, set, element."""
        return [
            PrunableFilters(f"{name}.{each.name}", each.convolution, each.norm)
            for name, pathway in zip(_NAMES, self.networks, strict=True)
            for each in pathway.prunable_filters()
        ]

    def inflated_parts(self) -> Sequence[Recognizer]:
        """Return the SlowOnly pathways."""
        return [pathway for pathway in self.networks if isinstance(pathway, SlowOnly)]

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the pathways' tensors that read the channels of a frame."""
        return frozenset(
            f"{name}.{tensor}"
            for name, pathway in zip(_NAMES, self.networks, strict=True)
            for tensor in pathway.data_tensors()
        )


def middle_frames(batch_BCTHW: Tensor, number: int) -> Tensor:
    """Return the middle frame of each of ``number`` equal groups; repeats frames if there are fewer."""
    num_frames = batch_BCTHW.shape[2]
    if num_frames == number:
        return batch_BCTHW
    if num_frames % number == 0:
        stride = num_frames // number
        return batch_BCTHW[:, :, stride // 2 :: stride]
    places = torch.arange(number, device=batch_BCTHW.device)
    return batch_BCTHW.index_select(2, (2 * places + 1) * num_frames // (2 * number))
