"""Measured accuracies of a sweep, each stage once however many trials share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.scheduling.rungs import Rungs


@dataclass(frozen=True, slots=True)
class Measured:
    """A value of the objective that a trial measured on the validation clips."""

    trial: str
    """Name of the trial."""
    params: Hyperparameters
    seed: int
    pass_index: int
    """0 for pass 2, k for the k-th pruning pass."""
    value: float
    rung_epoch: int | None = None
    """Epoch of pass 2 after which it was measured; None after the last epoch of the pass."""

    @property
    def network(self) -> tuple[object, ...]:
        """Values that the network depends on, without the seed."""
        return network_of(self.params, self.pass_index)

    @property
    def stage(self) -> tuple[str, int, int]:
        """Equal for measurements of the same stage at the same epoch; can be sorted."""
        return (repr(self.network), self.seed, self.rung_epoch or 0)


def network_of(params: Hyperparameters, pass_index: int) -> tuple[object, ...]:
    """Return what the network after a pass depends on: equal for networks that are trained alike."""
    return (pass_index, *(params.chain if pass_index else params.prefix))


def measured_by_trial(
    trial: str,
    params: Hyperparameters,
    seed: int,
    chain: Sequence[float],
    rungs: Mapping[int, float],
) -> list[Measured]:
    """Return what one trial measured.

    Args:
        trial: name of the trial.
        params: its hyperparameters.
        seed: its seed.
        chain: values of pass 2 and of each pruning pass that it finished.
        rungs: values within pass 2, by the number of epochs.
    """
    within = [Measured(trial, params, seed, 0, value, epoch) for epoch, value in sorted(rungs.items())]
    return within + [Measured(trial, params, seed, index, value) for index, value in enumerate(chain)]


def rung_epochs(rungs: Rungs, reached: Mapping[int, float]) -> dict[int, float]:
    """Return the values at the rungs within pass 2 by epoch, given those at all rungs by step."""
    return {rungs.epochs[step]: value for step, value in reached.items() if step < len(rungs.epochs)}


def unique(measured: Iterable[Measured]) -> list[Measured]:
    """Return one measurement of every stage, in an order that does not depend on theirs."""
    by_stage: dict[tuple[str, int, int], Measured] = {}
    for each in sorted(measured, key=lambda each: (*each.stage, each.trial)):
        by_stage.setdefault(each.stage, each)
    return list(by_stage.values())
