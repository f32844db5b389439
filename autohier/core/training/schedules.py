"""Schedules of the learning rate: what follows every optimizer step, and what follows every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

ScheduleName = Literal["plateau", "cosine", "one-cycle"]


class GivenRates(LRScheduler):
    """The rate of every epoch, told beforehand."""

    def __init__(self, optimizer: Optimizer, rates: Sequence[float]) -> None:
        self.rates = tuple(rates)
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Of every group; behind the last epoch that epoch's."""
        rate = self.rates[min(self.last_epoch, len(self.rates) - 1)]
        return [rate for _ in self.optimizer.param_groups]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning rate's course."""

    scheduler: CosineAnnealingLR | GivenRates | OneCycleLR | ReduceLROnPlateau

    def after_step(self) -> None:
        """To be called after every optimizer step."""
        # The last step of a cycle has no rate after it, and torch refuses to be asked for one.
        cycle = self.scheduler
        if isinstance(cycle, OneCycleLR) and cycle.last_epoch + 1 < cycle.total_steps:
            cycle.step()

    def after_epoch(self, validation_loss: float) -> None:
        """To be called after every epoch."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(validation_loss)
        elif isinstance(self.scheduler, CosineAnnealingLR | GivenRates):
            self.scheduler.step()

    def state(self) -> dict[str, Any]:
        """Where it stands, in plain numbers and words."""
        return self.scheduler.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from where another stood; its optimizer is brought there apart from it."""
        self.scheduler.load_state_dict(state)


def open_schedule(
    name: ScheduleName,
    optimizer: Optimizer,
    *,
    epochs: int,
    num_batches: int,
    patience: int,
    factor: float,
    rates: Sequence[float] = (),
) -> Schedule:
    """Set up the course of an optimizer's rate over one stage.

    "plateau" is HAC's (section 4). It needs validation clips, which a refit has not: that is given the rates
    of what it refits. "cosine" falls to zero epoch by epoch; "one-cycle" (Smith and Topin,
    "Super-Convergence", 2017, with a cosine's falling side) rises from 1/25 over the first three tenths of
    the steps, then falls to nothing, while Adam's first beta goes the other way between 0.95 and 0.85. The
    rise lets networks with random weights stand a rate several times higher, and so learn in fewer epochs.

    Args:
        name: which of them.
        optimizer: at its starting rate; of "one-cycle", the highest.
        epochs: of the stage.
        num_batches: steps per epoch.
        patience: plateau: epochs without a lower validation loss before the rate drops.
        factor: plateau: what the rate is multiplied by then.
        rates: of every epoch, in place of all that.
    """
    if rates:
        return Schedule(GivenRates(optimizer, rates))
    if name == "one-cycle":
        highest = float(optimizer.param_groups[0]["lr"])
        return Schedule(OneCycleLR(optimizer, highest, total_steps=epochs * num_batches))
    if name == "cosine":
        return Schedule(CosineAnnealingLR(optimizer, T_max=epochs))
    # torch counts the epochs it tolerates, HAC the epoch at which the rate drops.
    return Schedule(ReduceLROnPlateau(optimizer, factor=factor, patience=patience - 1, threshold=0.0))
