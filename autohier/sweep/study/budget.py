"""The budget of a search: epochs or hours of training, of which a confirmation keeps a share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from autohier.config.sweep import SweepPlan

_HOUR_S = 3600


def budget_is_used_up(plan: SweepPlan, facts: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a search has used up its share of its budget; False without a budget.

    Args:
        plan: of the sweep.
        facts: of its ended trials, with the epochs and seconds that each trained itself.
    """
    if plan.budget_epochs is None and plan.budget_hours is None:
        return False
    spent = [(each.get("epochs_computed") or 0, each.get("seconds_computed") or 0.0) for each in facts]
    epochs, seconds = sum(own for own, _ in spent), sum(own for _, own in spent)
    if plan.space.shares_pass_1:
        epochs += plan.space.num_folds * plan.space.pass_1.epochs
    return epochs >= plan.search_share * (
        plan.budget_epochs or math.inf
    ) or seconds / _HOUR_S >= plan.search_share * (plan.budget_hours or math.inf)
