"""Answers of workers, some of which may be lost: which error counts, and which workers start again."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    GetTimeoutError,
    RayActorError,
    RayError,
    RayTaskError,
)

from autohier.core.failures import breaks_device
from autohier.errors import LostProcessError
from autohier.sweep.execution.memory_kills import deaths_by_memory

_LOG = logging.getLogger(__name__)
_MAX_DEATHS = 3
"""Number of lost workers after which a stage fails."""
_PAUSE_S, _RESTART_S = 0.5, 120.0
"""Between two looks at a worker that Ray starts again, and for how long; Ray takes a minute to notice that a
machine is lost."""
_LAST_S = 10.0
"""Time in which the other ranks of a stage fail too, after one of them has."""


def count_death(number: int, error: Exception) -> int:
    """Count a lost worker, unless its machine was taken away with notice.

    Raises:
        LostProcessError: if there were too many.
    """
    number += not getattr(error, "preempted", False)
    if number > _MAX_DEATHS:
        raise LostProcessError(
            "the workers of a stage must not die repeatedly",
            got=error,
            hint="give them more memory, or resume if machines were lost",
        ) from error
    _LOG.warning("a worker was lost (%s); its stage continues after the last epoch checkpoint", error)
    return number


def await_restart(workers: Sequence[Any]) -> None:
    """Wait until workers answer, or are lost for good with their machines."""
    for worker in workers:
        deadline = time.monotonic() + _RESTART_S
        while time.monotonic() < deadline:
            try:
                with deaths_by_memory():
                    ray.get(worker.__ray_ready__.remote(), timeout=_RESTART_S)
            except ActorUnavailableError:
                time.sleep(_PAUSE_S)
            except (RayActorError, ActorUnschedulableError, GetTimeoutError):
                break
            else:
                break


def gathered(references: Sequence[Any], workers: Sequence[Any]) -> list[Any]:
    """Return the answers of workers.

    Workers that do not answer after another one failed, and those whose device is broken, start again.

    Raises:
        Exception: what the computation raised.
        RayActorError: if a worker died.
        LostProcessError: if ranks lost each other.
    """
    pending = list(references)
    failed: list[Exception] = []
    while pending:
        ready, pending = ray.wait(pending, timeout=_LAST_S if failed else None)
        failed += [error for reference in ready if (error := _error_of(reference))]
        if failed and not ready:
            for reference in pending:
                ray.kill(workers[references.index(reference)], no_restart=False)
            break
    if not failed:
        answers: list[Any] = ray.get(list(references))
        return answers
    # Ranks that lost another say so; what it failed with says why.
    own = [error for error in failed if not isinstance(error, RayError | LostProcessError)]
    if any(breaks_device(error) for error in own):
        for worker in workers:
            ray.kill(worker, no_restart=False)
    deaths = [error for error in failed if isinstance(error, RayActorError)]
    raise (own or deaths or failed)[0]


def _error_of(reference: Any) -> Exception | None:  # noqa: ANN401
    """Return the error that an answer is, or the one that it was raised from in the worker."""
    try:
        with deaths_by_memory():
            ray.get(reference)
    except RayTaskError as error:
        cause: object = error.cause
        return cause if isinstance(cause, Exception) else RuntimeError(str(error))
    except ActorUnschedulableError as error:  # Ray does not call the loss of a whole machine a death
        lost: Exception = RayActorError(error_msg=f"its machine was lost: {error}")
        return lost
    except RayError as error:
        failure: Exception = error
        return failure
    return None
