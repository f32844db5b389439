"""Refits and tests that stay at two places until their machine dies: a ``sitecustomize`` of Ray's processes.

Each place keeps the first process that reaches it, which writes the name of its machine into the file of the
place. Nothing is held before the folder of these files exists.
"""

from __future__ import annotations

import importlib.util
import math
import os
import socket
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

IN_REFIT, IN_TEST = "refit", "test"
"""After the first epoch of a refit; during the evaluation of a refit network on the test split."""
FOLDER = "held"
"""Name of the folder of the files, in the folder that the machines share."""

_ACTORS = "autohier.sweep.execution.actors.stage_actor"
_TRAINS = "AUTOHIER_TEST_TRAINS_REFIT"
"""Set in a process that has trained an epoch of a refit; a closure is copied with the class by Ray."""


def hold(place: Path) -> None:
    """Stay here for ever, unless the place has held a process before."""
    try:
        file = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except OSError:
        return
    os.write(file, socket.gethostname().encode())
    os.close(file)
    while True:
        time.sleep(1)


def patch(actors: ModuleType, folder: Path) -> None:
    """Make the actors of work outside the trials stay at the places of a folder."""
    core_trial: Any = sys.modules["autohier.core.trial"]
    end_epoch, evaluate = actors.StageActor.on_epoch_end, core_trial.evaluate

    def end_and_hold(self: object, kind: object, pass_index: int, metrics: Any, *, reused: bool) -> None:
        end_epoch(self, kind, pass_index, metrics, reused=reused)
        if math.isnan(metrics.accuracy) and not reused:
            os.environ[_TRAINS] = "1"
            hold(folder / IN_REFIT)

    def evaluate_and_hold(*arguments: Any, **options: Any) -> Any:
        evaluation = evaluate(*arguments, **options)
        if _TRAINS in os.environ:
            hold(folder / IN_TEST)
        return evaluation

    actors.StageActor.on_epoch_end = end_and_hold
    core_trial.evaluate = evaluate_and_hold


class _Finder:
    """Finds the module of the actors, once, and patches it when it is loaded."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: object = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if name != _ACTORS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def load_and_patch(module: ModuleType) -> None:
            load(module)
            patch(module, Path(__file__).parent / FOLDER)

        spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
        return spec


if __name__ == "sitecustomize":
    sys.meta_path.insert(0, _Finder())
