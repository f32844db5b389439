"""Report of the importances of a sweep's hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from autohier.config.sweep import SweepPlan
from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.reports.text import percent, plain_table
from autohier.sweep.choice.winner import estimate_all
from autohier.sweep.study.importances import BEST_SHARE, importances
from autohier.text import plural

MIN_TRIALS = 20
"""Fewest trials from which importances are more than noise."""


@dataclass(frozen=True, slots=True)
class Importances:
    """Importances of a sweep's hyperparameters."""

    shares: Mapping[str, float]
    """By the name of the hyperparameter, the highest first."""
    note: str
    """What they were found from."""


def find_importances(records: Records, plan: SweepPlan) -> Importances:
    """Return the importances of a sweep's hyperparameters, the highest first.

    Args:
        records: of the sweep.
        plan: of the sweep.

    Raises:
        InputError: if the sweep has too few trials.
    """
    num_trials = sum(row.state in {"COMPLETE", "PRUNED"} and row.number is not None for row in records.trials)
    if num_trials < MIN_TRIALS:
        raise InputError(
            f"importances need at least {MIN_TRIALS} complete or stopped trials",
            got=num_trials,
            hint="continue the sweep, if need be with more --trials",
        )
    candidates = estimate_all(records).candidates
    estimated = [
        (each.params.model_copy(update={"passes": each.pass_index}), each.estimate) for each in candidates
    ]
    note = (
        f"Importance of each hyperparameter for being among the best {BEST_SHARE:.0%}, by the estimated "
        f"accuracies of {plural(len(estimated), 'network')} of {plural(num_trials, 'trial')} (PED-ANOVA)."
    )
    return Importances(importances(plan.space, estimated), note)


def importances_report(records: Records, plan: SweepPlan) -> Group:
    """Return the importances as a table; see `find_importances`."""
    found = find_importances(records, plan)
    table = plain_table()
    table.add_column("hyperparameter")
    table.add_column("importance", justify="right")
    for name, share in found.shares.items():
        table.add_row(name, percent(share))
    return Group(table, Text(), Text(found.note))
