"""Filter masks: which filters are alive, and keeping the others at zero.

Legend: F filters of one convolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from autohier.models.layers import filter_rows
from autohier.models.recognizer import PrunableFilters


@dataclass(frozen=True, slots=True, eq=False)
class FilterMasks:
    """Alive masks by layer name.

    HAC 3.4 zeroes filters and does not say how they stay zero. A zero filter alone is not dead: its batch
    norm still emits beta - gamma * mean / std, and one optimizer step revives it. Gamma and beta are
    therefore zeroed too. The caller must call `apply` after *every* optimizer step and use a new optimizer
    for each pass, since old momentum revives filters as well.
    """

    alive: Mapping[str, Tensor]
    """Bool mask ``[F]`` on the CPU, by layer name."""
    _dead: dict[tuple[str, torch.device], Tensor] = field(default_factory=dict, init=False, repr=False)
    """Indices of dead filters that `apply` has moved to a device."""

    @classmethod
    def all_alive(cls, filters: Sequence[PrunableFilters]) -> FilterMasks:
        """Return the masks of an unpruned recognizer."""
        return cls(
            {each.name: torch.ones(len(filter_rows(each.convolution)), dtype=torch.bool) for each in filters}
        )

    def to_state(self) -> dict[str, Tensor]:
        """Return the bool masks by layer name, for safetensors."""
        return dict(self.alive)

    @torch.no_grad()
    def apply(self, filters: Sequence[PrunableFilters]) -> None:
        """Zero dead filters, their biases, gamma and beta in place.

        Raises:
            KeyError: if a layer has no mask.
        """
        for each in filters:
            dead = self._dead_filters(each.name, each.convolution.weight.device)
            if len(dead):
                for parameter in (filter_rows(each.convolution), each.convolution.bias):
                    if parameter is not None:
                        parameter.index_fill_(0, dead, 0.0)
                for parameter in (each.norm.weight, each.norm.bias):
                    parameter.index_fill_(0, dead + each.first_channel, 0.0)
                if (copied := each.passed_on) is not None:
                    channels = dead[dead >= copied.first_filter] - copied.first_filter + copied.first_channel
                    for parameter in (copied.norm.weight, copied.norm.bias):
                        parameter.index_fill_(0, channels, 0.0)

    def _dead_filters(self, name: str, device: torch.device) -> Tensor:
        key = (name, device)
        if key not in self._dead:
            self._dead[key] = (~self.alive[name]).nonzero().flatten().to(device)
        return self._dead[key]
