"""The estimate of a sweep: mean and range over simulated sweeps, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from textwrap import fill
from typing import Annotated

from autohier.config.scaling import Scaling
from autohier.config.sweep import SweepPlan
from autohier.data.splits import SplitSizes
from autohier.sweep.planning.budgets import BudgetGain
from autohier.sweep.planning.profiler import CPU_NAME
from autohier.sweep.planning.simulation.regimes import Regime, pass_1_of
from autohier.sweep.planning.simulation.results import Costs, EpochCosts, SimulatedSweep
from autohier.text import plural

_CHECKPOINT_WEIGHTS = 3
"""An epoch checkpoint holds the weights and at most two moments of each, those of Adam."""
_HOUR_S, _GB = 3600, 1e9
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class PlannedQuantity:
    """One quantity of an estimate, over the simulated sweeps."""

    quantity: Annotated[
        str,
        "trials, accelerator_hours, accelerator_hours_alone (without reuse and stopping), wall_hours, "
        "utilization, disk_bytes, epochs, epochs_alone or trials_stopped",
    ]
    unit: Annotated[str, "unit of the numbers, e.g. h; 1 for shares and counts"]
    mean: Annotated[float, "mean over the simulated sweeps"]
    low: Annotated[float, "lowest of them"]
    high: Annotated[float, "highest of them"]


@dataclass(frozen=True, slots=True)
class SweepEstimate:
    """Simulated sweeps of one plan, and the origin of the numbers."""

    plan: SweepPlan
    """Its seed is that of the first simulated sweep; the others use the next ones."""
    accelerators: int
    sizes: SplitSizes
    sizes_from: str
    costs: Costs
    costs_from: str | Mapping[str, str]
    """Origin of the costs in words, by variant if the costs are."""
    regime: Regime
    """Of the worlds in which sweeps were simulated."""
    stage_bytes: int
    """Size of a finished stage of the largest variant on disk."""
    sweeps: tuple[SimulatedSweep, ...]
    scaling: Scaling | None = None
    """Of data-parallel stages; None if a trial holds one accelerator."""
    more: BudgetGain | None = None
    """What twice the budget buys; None without a budget."""

    @property
    def quantities(self) -> dict[str, list[float]]:
        """One number for every simulated sweep, by name and unit.

        All include the refit of the best config and its evaluation on the test split.
        """
        sweeps, num = self.sweeps, self.accelerators
        hours = [(sweep.seconds + sweep.winner_s) / _HOUR_S for sweep in sweeps]
        alone = [(sweep.seconds_alone + sweep.winner_s) / _HOUR_S for sweep in sweeps]
        wall = [(sweep.wall_s + sweep.winner_wall_s) / _HOUR_S for sweep in sweeps]
        trials: dict[str, list[float]] = {"trials": [sweep.num_trials for sweep in sweeps]}
        return {
            **(trials if self.plan.has_budget else {}),
            "accelerator-hours": hours,
            "  without reuse and stopping": alone,
            "  times as many": [_ratio(*pair) for pair in zip(alone, hours, strict=True)],
            f"hours on {plural(num, 'accelerator')}": wall,
            "  utilization, %": [100 * _ratio(*pair) / num for pair in zip(hours, wall, strict=True)],
            "GB on disk": [self._disk_bytes(sweep) / _GB for sweep in sweeps],
            "epochs": [sweep.epochs + sweep.winner_epochs for sweep in sweeps],
            "  epochs without reuse and stopping": [
                sweep.epochs_alone + sweep.winner_epochs for sweep in sweeps
            ],
            "trials stopped early": [sweep.num_stopped for sweep in sweeps],
        }

    def rows(self) -> tuple[PlannedQuantity, ...]:
        """Return the quantities under plain names, with their units."""
        texts = self.quantities
        names = {
            "trials": ("trials", "1", 1.0),
            "accelerator-hours": ("accelerator_hours", "h", 1.0),
            "  without reuse and stopping": ("accelerator_hours_alone", "h", 1.0),
            f"hours on {plural(self.accelerators, 'accelerator')}": ("wall_hours", "h", 1.0),
            "  utilization, %": ("utilization", "1", 0.01),
            "GB on disk": ("disk_bytes", "bytes", _GB),
            "epochs": ("epochs", "1", 1.0),
            "  epochs without reuse and stopping": ("epochs_alone", "1", 1.0),
            "trials stopped early": ("trials_stopped", "1", 1.0),
        }
        found = [(*names[text], values) for text, values in texts.items() if text in names]
        return tuple(
            PlannedQuantity(name, unit, mean(values) * size, min(values) * size, max(values) * size)
            for name, unit, size, values in found
        )

    def text(self) -> str:
        """Return the estimate as text: one line per quantity, then the origin of the numbers."""
        plan = self.plan
        title = f"{plan.space.name}: {plan.limits_text}, scheduler {plan.scheduler}, sampler {plan.sampler}"
        head = f"{f'estimate from {len(self.sweeps)} simulated sweeps':<38}{'mean':>9}   range"
        rows = [_row(name, values) for name, values in self.quantities.items()]
        notes = [fill(note, width=_WIDTH, subsequent_indent="  ") for note in self._notes()]
        return "\n".join([title, "", head, *rows, "", *notes])

    def _disk_bytes(self, sweep: SimulatedSweep) -> int:
        finished = sweep.num_stages + sweep.winner_stages
        return self.stage_bytes * (finished + _CHECKPOINT_WEIGHTS * sweep.num_unfinished)

    def _notes(self) -> tuple[str, ...]:
        sizes, regime = self.sizes, self.regime
        winner_s = mean(sweep.winner_s for sweep in self.sweeps)
        origin = "as published" if pass_1_of(self.plan.space)[1] else "an assumption"
        clips = f"{sizes.train:,} train, {sizes.validation:,} validation, {sizes.test:,} test"
        accuracies = (
            "Accuracies, which decide what is stopped and reused, are not measured: every simulated sweep "
            f"draws its own after HAC's tables, with pass 1 at {regime.pass_1:.2%} ({origin}) and the noise "
            f"of {regime.num_validation_clips:,} validation clips."
        )
        return (
            f"clips: {clips} ({self.sizes_from})",
            *self._cost_notes(),
            *self._scaling_notes(),
            f"included: {_duration(winner_s)} of one accelerator for the refit and its test result",
            f"not included: starting processes, writing checkpoints, failed trials{self._without()}",
            accuracies,
            *([self.more.text()] if self.more else []),
        )

    def _scaling_notes(self) -> Iterator[str]:
        if self.scaling:
            width = self.scaling.max_width
            speed_up = _number(1 / self.scaling.duration(width))
            yield (
                f"stages train on up to {plural(width, 'accelerator')}, {speed_up} times as fast as on one "
                "(given); trials hold none while they wait, and pass 1 of the refit trains during the search"
            )

    def _without(self) -> str:
        if self.plan.confirm == "auto":
            return "; the confirmation, which trains at most a quarter of the search's epochs"
        return "" if self.plan.confirm == "none" else f"; the confirmation {self.plan.confirm}"

    def _cost_notes(self) -> Iterator[str]:
        if isinstance(self.costs, EpochCosts):
            yield f"an epoch: {_epoch_text(self.costs)} ({self.costs_from})"
        else:
            for variant, costs in self.costs.items():
                origin = self.costs_from if isinstance(self.costs_from, str) else self.costs_from[variant]
                yield f"an epoch of variant {variant}: {_epoch_text(costs)} ({origin})"
        origins = [self.costs_from] if isinstance(self.costs_from, str) else self.costs_from.values()
        if any(CPU_NAME in origin for origin in origins):
            yield (
                "these times are a CPU's, as this machine has no GPU: for machines with GPUs, give the "
                "seconds that an epoch takes there with --seconds-per-epoch"
            )
        if self.plan.space.search.variants:
            yield "GB on disk: all stages counted with the size of the largest variant"
        if self.plan.space.search.settings:
            yield "searched training settings: all counted with the cost of their defaults"


def _epoch_text(costs: EpochCosts) -> str:
    by_kind = costs.own_s or {
        "pass 1": costs.pass_1_s,
        "pass 2": costs.pass_2_s,
        "pruning": costs.pruning_s,
    }
    return ", ".join(f"{name.replace('-', ' ')} {_duration(epoch_s)}" for name, epoch_s in by_kind.items())


def _row(name: str, values: Sequence[float]) -> str:
    low, high = _number(min(values)), _number(max(values))
    return f"{name:<38}{_number(mean(values)):>9}   {low if low == high else f'{low} to {high}'}"


def _number(value: float) -> str:
    """Format a number with three significant digits, and with all digits before the decimal point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _duration(duration_s: float) -> str:
    for unit_s, unit in ((86400, "days"), (_HOUR_S, "h"), (60, "min")):
        if duration_s >= 2 * unit_s:
            return f"{_number(duration_s / unit_s)} {unit}"
    return f"{_number(duration_s)} s"


def _ratio(more: float, less: float) -> float:
    """Return more / less; 1.0 for 0/0, if epochs cost nothing."""
    return more / less if less else 1.0
