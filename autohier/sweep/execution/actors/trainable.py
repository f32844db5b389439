"""The function that Ray Tune sends to its actors; it imports little, so that an actor starts quickly.

Ray Tune gives a trial to the first free actor and drops the one that it had begun to start for the trial. An
actor therefore imports torch in its first trial, not before: all actors are up before a trial ends.
"""

from __future__ import annotations

import gc
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import ray

from autohier.sweep.execution.cluster.admission import HandedBack, pass_gate


def run_in_actor(tune_config: dict[str, Any], *, context: ray.ObjectRef) -> None:
    """Run `trial_actor.run_sweep_trial`; ``context`` refers to a SweepContext, which is loaded only now.

    Raises:
        RayActorError: if this machine may run no trial, or is drained meanwhile; see `pass_gate`.
    """
    loaded = ray.get(context)
    pass_gate(loaded.admission)
    try:
        actor_module().run_sweep_trial(tune_config, context=loaded)
    except HandedBack as end:
        raise end.as_preemption() from end


@cache
def actor_module() -> ModuleType:
    """Import the module that runs trials, without garbage collection, a fifth of the time."""
    gc.disable()
    try:
        return import_module("autohier.sweep.execution.actors.trial_actor")
    finally:
        gc.freeze()
        gc.enable()
