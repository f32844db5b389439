"""What Ray Tune starts its actors with, and no more.

Ray Tune gives a setting to whichever actor is free first, and drops the one that it had begun to start for
it. What takes seconds to load is therefore loaded by an actor's first trial: then all are up before one ends.
"""

from __future__ import annotations

import gc
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import ray


def run_in_actor(config: dict[str, Any], *, job: ray.ObjectRef) -> None:
    """See actor.run_sweep_trial; ``job`` refers to a TrialJob, which is loaded only now."""
    actor_module().run_sweep_trial(config, job=ray.get(job))


@cache
def actor_module() -> ModuleType:
    """The module of the trials.

    What it loads stays. To look for garbage among it, while there is ever more, took a fifth of the time.
    """
    gc.disable()
    try:
        return import_module("autohier.sweep.actor")
    finally:
        gc.freeze()
        gc.enable()
