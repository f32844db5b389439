"""What Ray Tune starts its actors with, and no more.

Ray Tune gives a setting to whichever actor is free first, and drops the one that it had begun to start for
it. What takes seconds to load is therefore loaded by an actor's first trial: then all are up before one ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autohier.sweep.actor import TrialJob


def run_in_actor(config: dict[str, Any], *, job: TrialJob) -> None:
    """See actor.run_sweep_trial."""
    from autohier.sweep.actor import run_sweep_trial  # noqa: PLC0415

    run_sweep_trial(config, job=job)
