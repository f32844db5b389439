"""The part of a batch that is computed at the moment, as layers that read the whole batch need it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autohier.core.training.replicas.base import Replicas
from autohier.data.inputs.share import PartShare
from autohier.errors import InputError


@dataclass(slots=True)
class CurrentPart:
    """Part of a batch in its forward pass, and the replicas that share it."""

    replicas: Replicas
    share: PartShare

    @property
    def weight(self) -> float:
        """Share of this rank's clips; 0 if the rank has none and computes one of the others."""
        return self.share.num_own / self.share.num_clips

    def rows(self, tensor: Tensor, layer: str) -> tuple[int, int, int]:
        """Return first row, number of rows, and number of rows of all ranks, of a tensor in the network.

        A network may hold several rows for every clip, e.g. one for each person.

        Raises:
            InputError: if the rows are no multiple of the clips.
        """
        num_read = max(1, self.share.num_own)
        per_clip, rest = divmod(len(tensor), num_read)
        if rest:
            raise InputError(
                "a layer that samples must read equally many rows of every clip",
                got=f"{len(tensor)} rows of {num_read} clips in {layer}",
                hint="train this recognizer on one accelerator",
            )
        return self.share.first * per_clip, len(tensor), self.share.num_clips * per_clip
