"""Admission of machines: a table of verdicts on them, and the gate that the process of a trial passes.

`machine_check` checks a machine; `machines` decides the verdicts and prints why a machine is refused.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayActorError

_POLL_S = 0.3
_PATIENCE_S = 120.0
ADMITTED = ""
"""Verdict on a machine that may run trials; any other text is the reason why it may not."""


DRAINED = "it is drained: its work continues on another machine after the next epoch"
"""Verdict on a machine that is about to end."""

TOO_SMALL = "it is too small for a trial"
"""Verdict on a machine that is not checked."""


class HandedBack(BaseException):
    """Ends the work of a process that continues on another machine."""

    def as_preemption(self) -> RayActorError:
        """Return the error after which Ray Tune starts a trial again without counting a failure."""
        return RayActorError(error_msg=f"this machine runs no trial: {self}", preempted=True)


class AdmissionTable:
    """Verdicts on machines, by Ray's identifiers. Runs in an actor on the driver's machine."""

    def __init__(self) -> None:
        self._verdicts: dict[str, str] = {}

    def update(self, verdicts: Mapping[str, str]) -> None:
        """Replace all verdicts."""
        self._verdicts = dict(verdicts)

    def verdict(self, node: str) -> str | None:
        """Return the verdict on a machine; None if it is still checked."""
        return self._verdicts.get(node)


def pass_gate(table: Any) -> None:  # noqa: ANN401  actor handle of an AdmissionTable, or None
    """Wait until this machine is admitted; call it in a process before it runs a trial.

    Args:
        table: actor of the table; None on a machine that needs no admission, the driver's own.

    Raises:
        RayActorError: if the machine is not admitted. Ray Tune starts the trial again, elsewhere, and does
            not count this as a failure, since it takes it for a machine that was preempted.
    """
    if table is None:
        return
    node = ray.get_runtime_context().get_node_id()
    deadline = time.monotonic() + _PATIENCE_S
    while (verdict := ray.get(table.verdict.remote(node))) is None:
        if time.monotonic() >= deadline:
            verdict = f"it was not checked within {_PATIENCE_S:.0f} s"
            break
        time.sleep(_POLL_S)
    if verdict != ADMITTED:
        raise HandedBack(verdict).as_preemption()
