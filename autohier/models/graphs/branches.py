"""Temporal units of parallel branches: dilated convolutions, a max pooling and a 1x1 convolution.

All branches but the last start with a 1x1 convolution, a norm and a ReLU. One of each serves all of them, and
its channels are split between them. One norm serves the ends of all branches.

Legend: N clips times persons, C channels, T frames, V joints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.graphs.units import PointwiseConvolution, Unit, shortcut, start_fan_out
from autohier.models.recognizer import PassedOn, PrunableFilters

_SIX_BRANCHES = 6
_FOUR_BRANCHES = 4
_DILATIONS = (1, 2, 3, 4)


class TemporalBranches(Unit):
    """Branches in parallel, concatenated and normalized.

    Args:
        num_read: C read.
        widths: channels of each dilated convolution, of the max pooling, and of the 1x1 convolution.
        num_frames_seen: kernel size of the dilated convolutions in frames, odd.
        dilations: distance between the frames that each dilated convolution sees.
        stride: every ``stride``-th frame is kept.
    """

    def __init__(
        self,
        num_read: int,
        widths: Sequence[int],
        *,
        num_frames_seen: int,
        dilations: Sequence[int],
        stride: int,
    ) -> None:
        super().__init__()
        *dilated, num_pooled, num_pointwise = widths
        num_entered = sum(dilated) + num_pooled
        self.entry = nn.Conv2d(num_read, num_entered, 1)
        self.entry_bn = nn.BatchNorm2d(num_entered)
        self.dilated = nn.ModuleList(
            nn.Conv2d(
                width,
                width,
                (num_frames_seen, 1),
                stride=(stride, 1),
                padding=(dilation * (num_frames_seen // 2), 0),
                dilation=(dilation, 1),
            )
            for width, dilation in zip(dilated, dilations, strict=True)
        )
        self.pool = nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0))
        self.pointwise = PointwiseConvolution(num_read, num_pointwise, stride)
        self.branches_bn = nn.BatchNorm2d(sum(widths))

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, sum of the widths, T / stride, V]."""
        entered = self.entry_bn(self.entry(x_NCTV))
        widths = [convolution.weight.shape[1] for convolution in self._dilated()]
        *parts, pooled = torch.split(entered, [*widths, entered.shape[1] - sum(widths)], dim=1)
        # ReLU per part also makes each part contiguous; a convolution would copy a slice of a wider tensor.
        branches = [
            convolution(F.relu(part)) for convolution, part in zip(self._dilated(), parts, strict=True)
        ]
        if pooled.shape[1]:
            branches.append(self.pool(F.relu(pooled)))
        out: Tensor = self.branches_bn(torch.cat([*branches, self.pointwise(x_NCTV)], dim=1))
        return out

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the first 1x1 convolution and of the branches."""
        dilated: list[PrunableFilters] = []
        num_read = num_written = 0
        for index, convolution in enumerate(self._dilated()):
            dilated.append(PrunableFilters(f"dilated.{index}", convolution, self.branches_bn, num_written))
            num_read += convolution.weight.shape[1]
            num_written += len(convolution.weight)
        pooled = PassedOn(self.branches_bn, first_channel=num_written, first_filter=num_read)
        first = self.branches_bn.num_features - len(self.pointwise.weight)
        return [
            PrunableFilters("entry", self.entry, self.entry_bn, passed_on=pooled),
            *dilated,
            PrunableFilters("pointwise", self.pointwise, self.branches_bn, first),
        ]

    def _dilated(self) -> list[nn.Conv2d]:
        return [module for module in self.dilated if isinstance(module, nn.Conv2d)]


class MultiScaleTemporalUnit(TemporalBranches):
    """Temporal unit of ST-GCN++: six branches, mixed by a 1x1 convolution.

    A branch has a sixth of the unit's channels; the first one also has the rest.
    """

    def __init__(self, num_channels: int, stride: int) -> None:
        narrow = num_channels // _SIX_BRANCHES
        first = num_channels - narrow * (_SIX_BRANCHES - 1)
        widths = (first, *[narrow] * (_SIX_BRANCHES - 1))
        super().__init__(num_channels, widths, num_frames_seen=3, dilations=_DILATIONS, stride=stride)
        self.transform = nn.Conv2d(num_channels, num_channels, 1)
        self.bn = nn.BatchNorm2d(num_channels)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, C, T / stride, V]."""
        joined = super().forward(x_NCTV)
        out: Tensor = self.bn(self.transform(F.relu(joined, inplace=True)))
        return out

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the first 1x1 convolution, the branches and the last 1x1 convolution."""
        return [*super().filters(), PrunableFilters("transform", self.transform, self.bn)]


class FourBranchTemporalUnit(TemporalBranches):
    """Temporal unit of CTR-GCN (Chen et al. 2021, section 3.4): four branches of a quarter of the channels.

    Two convolutions see five frames, with dilations 1 and 2.

    Args:
        num_channels: C.
        stride: every ``stride``-th frame is kept.
        rectify: True adds a ReLU behind the branches, as PYSKL does; the authors' code has none.
    """

    def __init__(self, num_channels: int, stride: int, *, rectify: bool = False) -> None:
        narrow = num_channels // _FOUR_BRANCHES
        widths = (*[narrow] * (_FOUR_BRANCHES - 1), num_channels - narrow * (_FOUR_BRANCHES - 1))
        super().__init__(num_channels, widths, num_frames_seen=5, dilations=(1, 2), stride=stride)
        self.rectify = rectify
        for convolution, width in (
            (self.entry, narrow),
            *((each, len(each.weight)) for each in self._dilated()),
            (self.pointwise, len(self.pointwise.weight)),
        ):
            start_fan_out(convolution, width)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, C, T / stride, V]."""
        out = super().forward(x_NCTV)
        return F.relu(out, inplace=True) if self.rectify else out


class ResidualTemporalUnit(TemporalBranches):
    """Temporal unit of MS-G3D (Liu et al. 2020, section 4.3): six branches with a shortcut around them.

    A branch has a sixth of the channels; the last one also has the rest.

    Args:
        num_read: C read.
        num_written: C written.
        stride: every ``stride``-th frame is kept.
        rectify: False leaves out the ReLU at the end.
    """

    def __init__(self, num_read: int, num_written: int, stride: int = 1, *, rectify: bool = True) -> None:
        narrow = num_written // _SIX_BRANCHES
        widths = (*[narrow] * (_SIX_BRANCHES - 1), num_written - narrow * (_SIX_BRANCHES - 1))
        super().__init__(num_read, widths, num_frames_seen=3, dilations=_DILATIONS, stride=stride)
        self.rectify = rectify
        self.shortcut = shortcut(num_read, num_written, stride)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T / stride, V]."""
        out = super().forward(x_NCTV).add_(self.shortcut(x_NCTV))
        return F.relu(out, inplace=True) if self.rectify else out
