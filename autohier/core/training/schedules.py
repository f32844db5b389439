"""Schedules of the learning rate: what follows every optimizer step, and what follows every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

ScheduleName = Literal["plateau", "cosine", "one-cycle"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning rate's course."""

    after_step: Callable[[], None] = lambda: None
    after_epoch: Callable[[float], None] = lambda _: None
    """Called with the epoch's validation loss."""


def open_schedule(
    name: ScheduleName, optimizer: Optimizer, *, epochs: int, num_batches: int, patience: int, factor: float
) -> Schedule:
    """Set up the course of an optimizer's rate over one stage.

    "plateau" is HAC's (section 4). The others need no validation clips, so that a refit can follow them:
    "cosine" falls to zero epoch by epoch; "one-cycle" (Smith and Topin, "Super-Convergence", 2017, with a
    cosine's falling side) rises from 1/25 over the first three tenths of the steps, then falls to nothing,
    while Adam's first beta goes the other way between 0.95 and 0.85. The rise lets networks with random
    weights stand a rate several times higher, and so learn in fewer epochs.

    Args:
        name: which of them.
        optimizer: at its starting rate; of "one-cycle", the highest.
        epochs: of the stage.
        num_batches: steps per epoch.
        patience: plateau: epochs without a lower validation loss before the rate drops.
        factor: plateau: what the rate is multiplied by then.
    """
    if name == "one-cycle":
        highest = float(optimizer.param_groups[0]["lr"])
        cycle = OneCycleLR(optimizer, highest, total_steps=epochs * num_batches)
        # The last step has no rate after it, and torch refuses to be asked for one.
        return Schedule(after_step=lambda: cycle.step() if cycle.last_epoch + 1 < cycle.total_steps else None)
    if name == "cosine":
        cosine = CosineAnnealingLR(optimizer, T_max=epochs)
        return Schedule(after_epoch=lambda _: cosine.step())
    # torch counts the epochs it tolerates, HAC the epoch at which the rate drops.
    plateau = ReduceLROnPlateau(optimizer, factor=factor, patience=patience - 1, threshold=0.0)
    return Schedule(after_epoch=plateau.step)
