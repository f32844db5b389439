"""Learning-rate schedules: how the rate of an optimizer changes over one stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau


class Schedule:
    """Changes the learning rate of one optimizer over one stage.

    The training loop calls `after_step` after each optimizer step and `after_epoch` after each epoch and its
    validation. A schedule changes ``optimizer.param_groups`` in place and holds no other reference to the
    network. A stage that is resumed builds the schedule again, restores the optimizer, and then calls
    `load_state`; the rates after that must equal those of an uninterrupted stage.

    Example:
        Halve the rate after each epoch::

            class Halving(Schedule):
                def __init__(self, optimizer):
                    self.optimizer = optimizer

                def after_epoch(self, validation_loss):
                    for group in self.optimizer.param_groups:
                        group["lr"] /= 2
    """

    def after_step(self) -> None:
        """Called after every optimizer step."""

    def after_epoch(self, validation_loss: float) -> None:
        """Called after every epoch with its validation loss, which is finite."""

    def state(self) -> dict[str, Any]:
        """Return the state as JSON values; empty for a schedule without state."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from the state of another schedule; the optimizer is restored separately."""


class ScheduleBuilder(Protocol):
    """Builds a schedule; the builder of an extension also receives its options as keyword arguments."""

    def __call__(self, optimizer: Optimizer, *, epochs: int, num_batches: int) -> Schedule:
        """Return the schedule of one stage.

        Args:
            optimizer: its groups have the learning rate of the config.
            epochs: number of epochs of the stage.
            num_batches: number of optimizer steps per epoch.
        """


class _TorchSchedule(Schedule):
    """A scheduler of torch, stepped after each epoch."""

    def __init__(self, scheduler: LRScheduler) -> None:
        self.scheduler = scheduler

    def after_epoch(self, validation_loss: float) -> None:  # noqa: ARG002
        """See `Schedule`."""
        self.scheduler.step()

    def state(self) -> dict[str, Any]:
        """See `Schedule`."""
        return self.scheduler.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        """See `Schedule`."""
        self.scheduler.load_state_dict(state)


class _Plateau(_TorchSchedule):
    scheduler: ReduceLROnPlateau

    def after_epoch(self, validation_loss: float) -> None:
        self.scheduler.step(validation_loss)


class _OneCycle(_TorchSchedule):
    scheduler: OneCycleLR

    def after_step(self) -> None:
        # The last step of a cycle has no rate after it; torch raises an error if asked for one.
        if self.scheduler.last_epoch + 1 < self.scheduler.total_steps:
            self.scheduler.step()

    def after_epoch(self, validation_loss: float) -> None:
        """Do nothing: the rate changes after each step."""


class _WarmUp(Schedule):
    """Scales the rates of another schedule, which sees its own, unscaled rates."""

    def __init__(self, schedule: Schedule, optimizer: Optimizer, num_epochs: int) -> None:
        self._schedule, self._optimizer, self._num_epochs = schedule, optimizer, num_epochs
        self._epoch = 0
        self._scale()

    def after_step(self) -> None:
        self._unscale()
        self._schedule.after_step()
        self._scale()

    def after_epoch(self, validation_loss: float) -> None:
        self._unscale()
        self._schedule.after_epoch(validation_loss)
        self._epoch += 1
        self._scale()

    def state(self) -> dict[str, Any]:
        return {"schedule": self._schedule.state(), "epoch": self._epoch, "rates": self._rates}

    def load_state(self, state: dict[str, Any]) -> None:
        self._schedule.load_state(state["schedule"])
        self._epoch, self._rates = state["epoch"], state["rates"]

    def _unscale(self) -> None:
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate

    def _scale(self) -> None:
        self._rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        share = min(1.0, (self._epoch + 1) / self._num_epochs)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share


class _RecordedRates(LRScheduler):
    def __init__(self, optimizer: Optimizer, rates: Sequence[float]) -> None:
        self.rates = tuple(rates)
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of every group; after the last epoch, that of the last epoch."""
        rate = self.rates[min(self.last_epoch, len(self.rates) - 1)]
        return [rate for _ in self.optimizer.param_groups]


def plateau(
    optimizer: Optimizer,
    *,
    epochs: int,  # noqa: ARG001
    num_batches: int,  # noqa: ARG001
    lr_patience: int,
    lr_factor: float,
) -> Schedule:
    """Multiply the rate by a factor when the validation loss stalls (HAC section 4).

    Args:
        optimizer: at its starting rate.
        epochs: see `ScheduleBuilder`.
        num_batches: see `ScheduleBuilder`.
        lr_patience: epochs without a lower validation loss before the rate drops.
        lr_factor: factor of the rate.
    """
    # torch counts the epochs that it tolerates, HAC the epoch at which the rate drops.
    return _Plateau(ReduceLROnPlateau(optimizer, factor=lr_factor, patience=lr_patience - 1, threshold=0.0))


def cosine(optimizer: Optimizer, *, epochs: int, num_batches: int) -> Schedule:  # noqa: ARG001
    """Lower the rate to zero along a cosine, epoch by epoch."""
    return _TorchSchedule(CosineAnnealingLR(optimizer, T_max=epochs))


def multi_step(
    optimizer: Optimizer,
    *,
    epochs: int,
    num_batches: int,  # noqa: ARG001
    lr_steps: Sequence[float],
    lr_factor: float,
) -> Schedule:
    """Multiply the rate by a factor after certain epochs.

    Args:
        optimizer: at its starting rate.
        epochs: see `ScheduleBuilder`.
        num_batches: see `ScheduleBuilder`.
        lr_steps: shares of the stage's epochs, rounded to whole epochs, after which the rate falls.
        lr_factor: factor of the rate.
    """
    rate, falls = float(optimizer.param_groups[0]["lr"]), [int(share * epochs + 0.5) for share in lr_steps]
    numbers = [sum(fall <= epoch for fall in falls) for epoch in range(epochs)]
    return _TorchSchedule(_RecordedRates(optimizer, [rate * lr_factor**number for number in numbers]))


def one_cycle(optimizer: Optimizer, *, epochs: int, num_batches: int) -> Schedule:
    """Raise the rate from 1/25 over the first three tenths of the steps, then lower it to almost zero.

    Smith and Topin, "Super-Convergence", 2017, with the falling side of a cosine. Adam's first beta, or the
    momentum, moves the other way between 0.95 and 0.85. The rise allows networks with random weights a rate
    several times higher, so that they learn in fewer epochs.

    Args:
        optimizer: at its highest rate.
        epochs: see `ScheduleBuilder`.
        num_batches: see `ScheduleBuilder`.
    """
    group = optimizer.param_groups[0]
    return _OneCycle(
        OneCycleLR(
            optimizer,
            float(group["lr"]),
            total_steps=epochs * num_batches,
            cycle_momentum=group.get("momentum") != 0,
        )
    )


def warm_up(
    optimizer: Optimizer, *, epochs: int, num_batches: int, schedule: ScheduleBuilder, warmup_epochs: int
) -> Schedule:
    """Multiply the rates of a schedule by 1/n, 2/n, ..., n/n in the first n epochs.

    Args:
        optimizer: at its starting rate.
        epochs: see `ScheduleBuilder`.
        num_batches: see `ScheduleBuilder`.
        schedule: builds the schedule that is scaled.
        warmup_epochs: n; at most half of the epochs are taken.
    """
    scaled = schedule(optimizer, epochs=epochs, num_batches=num_batches)
    num_epochs = min(warmup_epochs, epochs // 2)
    return _WarmUp(scaled, optimizer, num_epochs) if num_epochs else scaled


def recorded_rates(
    optimizer: Optimizer,
    *,
    epochs: int,  # noqa: ARG001
    num_batches: int,  # noqa: ARG001
    rates: Sequence[float],
) -> Schedule:
    """Replay the learning rates that another stage recorded, one per epoch."""
    return _TorchSchedule(_RecordedRates(optimizer, rates))
