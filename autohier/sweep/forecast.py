"""What a sweep is expected to cost: several simulated ones taken together, and how they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from textwrap import fill

from autohier.data.splits import SplitSizes
from autohier.settings.sweep import SweepPlan
from autohier.sweep.simulation import Costs, EpochCosts, Expectation
from autohier.sweep.standin import StandIn

_CHECKPOINT_WEIGHTS = 3
"""An epoch checkpoint holds the weights and Adam's two moments of each."""
_HOUR_S, _GB = 3600, 1e9
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Forecast:
    """Simulated sweeps of one plan, and what they stand on."""

    plan: SweepPlan
    """Its seed is that of the first sweep; the others follow."""
    accelerators: int
    sizes: SplitSizes
    sizes_from: str
    costs: Costs
    costs_from: str | Mapping[str, str]
    """In words; of each variant where costs are."""
    stand_in: StandIn
    stage_bytes: int
    """What a finished stage of the largest variant holds on disk."""
    sweeps: tuple[Expectation, ...]

    @property
    def quantities(self) -> dict[str, list[float]]:
        """What is expected, by its name and unit: one number of every sweep.

        The winner's refit and the reading of the test split are in all of them.
        """
        sweeps, num = self.sweeps, self.accelerators
        hours = [(sweep.seconds + sweep.winner_s) / _HOUR_S for sweep in sweeps]
        alone = [(sweep.seconds_alone + sweep.winner_s) / _HOUR_S for sweep in sweeps]
        wall = [(sweep.wall_s + sweep.winner_s) / _HOUR_S for sweep in sweeps]
        return {
            "accelerator-hours at work": hours,
            "  each trial for itself, to its end": alone,
            "  that is so many times as many": [_ratio(*pair) for pair in zip(alone, hours, strict=True)],
            f"hours on {_plural(num, 'accelerator')}": wall,
            "  at work, %": [100 * _ratio(*pair) / num for pair in zip(hours, wall, strict=True)],
            "GB on disk": [self._disk_bytes(sweep) / _GB for sweep in sweeps],
            "epochs": [sweep.epochs + sweep.winner_epochs for sweep in sweeps],
            "  each for itself, to its end": [sweep.epochs_alone + sweep.winner_epochs for sweep in sweeps],
            "trials stopped early": [sweep.num_stopped for sweep in sweeps],
        }

    def text(self) -> str:
        """The forecast as people read it: a line per quantity, then where it comes from."""
        plan = self.plan
        title = f"{plan.space.name}: {plan.trials} settings, stopping {plan.stopping}, sampler {plan.sampler}"
        head = f"{f'expected of {len(self.sweeps)} simulated sweeps':<38}{'mean':>9}   range"
        rows = [_row(name, values) for name, values in self.quantities.items()]
        notes = [fill(note, width=_WIDTH, subsequent_indent="  ") for note in self._notes()]
        return "\n".join([title, "", head, *rows, "", *notes])

    def _disk_bytes(self, sweep: Expectation) -> int:
        finished = sweep.num_stages + sweep.winner_stages
        return self.stage_bytes * (finished + _CHECKPOINT_WEIGHTS * sweep.num_unfinished)

    def _notes(self) -> tuple[str, ...]:
        sizes, stand_in = self.sizes, self.stand_in
        winner_s = mean(sweep.winner_s for sweep in self.sweeps)
        whence = "as published" if stand_in.is_published else "an assumption"
        clips = f"{sizes.train:,} train, {sizes.validation:,} validate, {sizes.test:,} test"
        accuracies = (
            "The accuracies that decide what is stopped and shared are no measurement: they stand in for "
            f"training after HAC's tables, with pass 1 at {stand_in.pass_1:.2%} ({whence}) and the noise of "
            f"{stand_in.num_validation_clips:,} validation clips."
        )
        return (
            f"clips: {clips} ({self.sizes_from})",
            *self._cost_notes(),
            f"included: {_duration(winner_s)} of one accelerator for the winner's refit and its test reading",
            "left out: starting processes, writing checkpoints, trials that fail",
            accuracies,
        )

    def _cost_notes(self) -> Iterator[str]:
        if isinstance(self.costs, EpochCosts):
            yield f"an epoch: {_epoch_text(self.costs)} ({self.costs_from})"
        else:
            for variant, costs in self.costs.items():
                origin = self.costs_from if isinstance(self.costs_from, str) else self.costs_from[variant]
                yield f"an epoch of variant {variant}: {_epoch_text(costs)} ({origin})"
        if self.plan.space.search.variants:
            yield "GB on disk: as if all stages were of the largest variant"
        if self.plan.space.search.settings:
            yield "searched training settings: all at the price of their defaults"


def _epoch_text(costs: EpochCosts) -> str:
    return (
        f"pass 1 {_duration(costs.pass_1_s)}, pass 2 {_duration(costs.pass_2_s)}, "
        f"pruning {_duration(costs.pruning_s)}"
    )


def _row(name: str, values: Sequence[float]) -> str:
    low, high = _number(min(values)), _number(max(values))
    return f"{name:<38}{_number(mean(values)):>9}   {low if low == high else f'{low} to {high}'}"


def _number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _duration(duration_s: float) -> str:
    for unit_s, unit in ((86400, "days"), (_HOUR_S, "h"), (60, "min")):
        if duration_s >= 2 * unit_s:
            return f"{_number(duration_s / unit_s)} {unit}"
    return f"{_number(duration_s)} s"


def _ratio(more: float, less: float) -> float:
    """Of nothing to nothing, where epochs cost nothing: one."""
    return more / less if less else 1.0


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
