"""The only place that changes Ray's private state; tests/sweep/execution/test_ray_private.py guards it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

AUTHENTICATION = "RAY_AUTH_MODE"
"""Variable of the environment: "token" has Ray's processes ask each other for a token."""
_CLUSTER_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def use_prestarted_workers() -> None:
    """Let Ray Tune's actors run in the worker processes that a local Ray has started already.

    Ray Tune gives its actors a runtime environment with some of this process's variables and one for
    Lightning. Ray then starts other processes for them, which takes seconds per actor, and no public option
    turns this off. All processes of a local Ray inherit this environment, so that nothing is lost.
    """
    from ray.tune.execution import class_cache  # noqa: PLC0415  Ray reads its environment when imported

    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()


@contextmanager
def use_loopback_only() -> Iterator[None]:
    """Let all processes of a Ray that starts in the block listen on the loopback only.

    Ray does so by itself on macOS and Windows; on Linux it listens on all interfaces, and an address of the
    loopback that is passed to `ray.init` is replaced. The processes that it starts read the environment, this
    one reads a constant if it has imported Ray already.
    """
    from ray._private import ray_constants  # noqa: PLC0415  Ray reads its environment when imported

    before, was_enabled = os.environ.get(_CLUSTER_VARIABLE), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[_CLUSTER_VARIABLE] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = was_enabled
        del os.environ[_CLUSTER_VARIABLE]
        if before is not None:
            os.environ[_CLUSTER_VARIABLE] = before


def require_token() -> None:
    """Have the Ray that this process starts ask for a token, unless the environment decides."""
    from ray import _raylet  # noqa: PLC0415  Ray reads its environment when imported

    if AUTHENTICATION not in os.environ:
        os.environ[AUTHENTICATION] = "token"
        _raylet.Config.initialize("")  # type: ignore[attr-defined]  # it has read the environment before


@contextmanager
def start_in_own_groups() -> Iterator[None]:
    """Give the processes of a Ray that starts in the block process groups of their own.

    A signal to the group of this process, e.g. from ``timeout``, then leaves Ray alone, and this process ends
    its sweep as if it alone had got the signal. Ray's processes still end with this one.
    """
    from ray._private import services  # noqa: PLC0415  Ray reads its environment when imported

    before = services.ConsolePopen
    if os.name == "posix":
        services.ConsolePopen = partial(before, process_group=0)
    try:
        yield
    finally:
        services.ConsolePopen = before
