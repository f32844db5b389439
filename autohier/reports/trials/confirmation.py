"""Report of a sweep's confirmation: the nominees with fresh seeds, and what the winner gains.

Gains are paired: both networks have the same seeds, pass 1 and validation clips, none of which the search has
compared. A gain is called shown only if its whole 95% interval is above 0. These seeds also chose the winner
among the nominees, of which the first config is one: the interval against it holds for all nominees at once.
The controls were not among them, and in simulated sweeps in which all configs are equal a gain over them is
shown in less than 5% (docs/search-quality.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.records.statistics import PairedDifference, paired_difference
from autohier.reports.text import count_text, percent
from autohier.sweep.choice.confirmation import (
    CONTROL,
    FLAT,
    NOMINEE,
    confirmations,
    controls,
    first_initial,
    kept_params,
)
from autohier.text import plural

_CONTROLS = {CONTROL: "the control", FLAT: "the flat control"}


def confirmation_text(records: Records) -> str:
    """Return the results of a sweep's confirmation; empty if there is none."""
    rows = list(confirmations(records))
    if not rows:
        return ""
    seeds = list(dict.fromkeys(row.seed for row in rows))
    head = f"confirmation with {plural(len(seeds), 'fresh seed')}, on the validation clips:"
    names = dict.fromkeys(row.confirms for row in rows if row.role == NOMINEE)
    if records.confirmed:
        names[records.confirmed] = None
    lines = [head, *(_nominee_line(records, name) for name in names)]
    if records.confirmed is None:
        return "\n".join([*lines, "  not decided yet", *_bound_lines(records)])
    return "\n".join([*lines, *_gain_lines(records, seeds, len(names)), *_bound_lines(records)])


def _bound_lines(records: Records) -> Iterator[str]:
    """Yield which networks of the confirmation exceed the bound on multiply-adds."""
    if records.max_multiply_adds is None:
        return
    bound = f"{count_text(records.max_multiply_adds)} multiply-adds"
    highest: dict[str, int] = {}
    for row in confirmations(records):
        name = row.confirms if row.role == NOMINEE else _CONTROLS.get(row.role, row.role)
        if (row.multiply_adds or 0) > records.max_multiply_adds:
            highest[name] = max(row.multiply_adds or 0, highest.get(name, 0))
    if highest:
        texts = (f"{name} with {count_text(cost)}" for name, cost in highest.items())
        yield f"exceed the bound of {bound}: {', '.join(texts)}"
    first = first_initial(records)
    if first is not None and first in records.over_bound():
        yield f"the first config, {first.trial}, exceeds the bound of {bound}, so it was not confirmed"


def _nominee_line(records: Records, name: str) -> str:
    searched = next((row for row in records.trials if row.trial == name), None)
    own = kept_params(searched).effect if searched else None
    # A control of an earlier winner may have trained the same network.
    rows = [row for row in confirmations(records) if row.confirms == name and row.role == NOMINEE]
    rows = rows or [row for row in confirmations(records) if params_of(row).effect == own]
    values = [row.value for row in rows if row.value is not None]
    parts = [f"mean {percent(mean(values))} ({', '.join(map(percent, values))})" if values else "no result"]
    if searched is not None and searched.value is not None:
        parts.append(f"in the search {percent(searched.value)}")
    if estimate := records.estimates.get(name):
        parts.append(f"estimated {percent(estimate.value)}")
    return f"  {name}: {', '.join(parts)}{_verdict(records, name) if name == records.confirmed else ''}"


def _verdict(records: Records, winner: str) -> str:
    """Return why the winner won; with few seeds, others may have higher means."""
    values: dict[str, list[float]] = {}
    for row in confirmations(records):
        if row.role == NOMINEE and row.value is not None:
            values.setdefault(row.confirms, []).append(row.value)
    means = {name: mean(own) for name, own in values.items()}
    if means.get(winner, 0.0) >= max(means.values(), default=0.0):
        return "; confirmed as the best"
    first = first_initial(records)
    if first is not None and first.trial == winner:
        return "; wins as the first initial config, because no other is better with enough certainty"
    return "; wins by the search and these seeds together"


def _gain_lines(records: Records, seeds: Sequence[int], num_nominees: int) -> Iterator[str]:
    winner = next(row for row in records.trials if row.trial == records.confirmed)
    own = kept_params(winner)
    by_role = controls(own)
    unpruned, flat = by_role.get(CONTROL, own), by_role[FLAT]
    pairs = [("hierarchy", unpruned, flat, 1)]
    if unpruned != own:
        pairs += [("pruning", own, unpruned, 1), ("both", own, flat, 1)]
    initial = first_initial(records)
    if initial is not None and kept_params(initial).effect != own.effect:
        name = f"against the first config, {initial.trial}"
        pairs.append((name, own, kept_params(initial), num_nominees))
    found = [
        (name, _difference(records, seeds, first, second, number)) for name, first, second, number in pairs
    ]
    texts = [f"{name} {_gain_text(gain)}" for name, gain in found if gain is not None]
    if texts:
        yield (
            f"gain of {winner.trial} in points, paired on fresh seeds and the same clips, 95% interval: "
            f"{', '.join(texts)}"
        )
        shown = [name for name, gain in found if gain is not None and gain.is_gain]
        yield f"gains shown: {', '.join(shown)}" if shown else "gains shown: none, all are within noise"


def _difference(
    records: Records,
    seeds: Sequence[int],
    first: Hyperparameters,
    second: Hyperparameters,
    num_compared: int,
) -> PairedDifference | None:
    """Return the paired difference of two configs over the seeds that both have completed."""
    pairs = [
        (one, other)
        for seed in seeds
        if (one := _row(records, first, seed)) and (other := _row(records, second, seed))
    ]
    if not pairs or records.run_sd is None:
        return None
    values = [(one.value or 0.0, other.value or 0.0) for one, other in pairs]
    right = [(one.right_clips, other.right_clips) for one, other in pairs]
    known = all(one and len(one) == len(other) for one, other in right)
    return paired_difference(values, right if known else (), records.run_sd, num_compared)


def _row(records: Records, params: Hyperparameters, seed: int) -> TrialRow | None:
    return next(
        (
            row
            for row in confirmations(records)
            if row.state == "COMPLETE" and row.seed == seed and params_of(row).effect == params.effect
        ),
        None,
    )


def _gain_text(gain: PairedDifference) -> str:
    low, high = gain.interval
    return (
        f"{100 * gain.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}; "
        f"clips ±{100 * gain.clips:.1f}, seeds ±{100 * gain.seeds:.1f})"
    )
