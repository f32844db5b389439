"""The schedule."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

from autohier.core.training.schedules import Schedule


class Linear(Schedule):
    """Lowers the rate linearly after each epoch."""

    def __init__(self, optimizer: Optimizer, *, epochs: int, end: float) -> None:
        self._optimizer, self._epochs, self._end = optimizer, epochs, end
        self._initial = float(optimizer.param_groups[0]["lr"])
        self._epoch = 0

    def after_epoch(self, validation_loss: float) -> None:  # noqa: ARG002
        """See `Schedule`."""
        self._epoch += 1
        share = min(self._epoch / max(self._epochs - 1, 1), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = self._initial * (1 - share * (1 - self._end))

    def state(self) -> dict[str, Any]:
        """See `Schedule`."""
        return {"initial": self._initial, "epoch": self._epoch}

    def load_state(self, state: dict[str, Any]) -> None:
        """See `Schedule`."""
        self._initial, self._epoch = state["initial"], state["epoch"]


def build(optimizer: Optimizer, *, epochs: int, num_batches: int, end: float) -> Linear:  # noqa: ARG001
    """Return the schedule of one stage; see `autohier.core.training.schedules.ScheduleBuilder`."""
    return Linear(optimizer, epochs=epochs, end=end)
