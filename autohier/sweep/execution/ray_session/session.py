"""A Ray session for one sweep: starts a quiet local Ray or joins a cluster."""

from __future__ import annotations

import getpass
import logging
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from autohier.config.sweep import SweepPlan
from autohier.errors import InputError
from autohier.machine import MachineShare, machine_share
from autohier.sweep.execution.cluster.joining import join_error, require_listener
from autohier.sweep.execution.ray_session.security import closed_to_others
from autohier.sweep.execution.ray_session.temp_folder import ray_temp_folder
from autohier.sweep.execution.signals import reinstall_handlers
from autohier.sweep.execution.trial_share import TRIAL_BYTES, Share, share_of

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_TRAIN_V2_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    # For the trials: threads of torch that spin while they wait occupy the cores of other trials.
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
}
_POLL_S = 0.01
_OBJECT_STORE_BYTES = 128 << 20
"""Trials exchange a few numbers; weights and clips go through files."""
_OWN_BYTES = 1 << 30
"""Memory of the driver and of a local Ray's own processes."""


def be_quiet() -> None:
    """Set the environment that Ray and its processes inherit, where unset; call it before importing Ray."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _name_user()


def _name_user() -> None:
    """Name the user and the home folder: Ray needs both, and a container may run as a user without them."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"user-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"  # as Debian has it for users without a home folder


@contextmanager
def ray_session(plan: SweepPlan) -> Iterator[Share]:
    """Start Ray, or join the plan's cluster, for as long as the block runs.

    Yields:
        The share of one trial.

    Raises:
        InputError: if the cluster cannot be reached, if this process has started Ray already, or if no
            machine fits a trial.
    """
    with ExitStack() as stack:
        if plan.ray_address:
            require_listener(plan.ray_address)
            options: dict[str, Any] = {"address": plan.ray_address}
        else:
            options = local_options(machine_share(), stack.enter_context(ray_temp_folder()))
        be_quiet()
        stack.enter_context(_running_ray(options, plan.ray_address))
        import ray  # noqa: PLC0415  Ray reads its environment when it is imported

        from autohier.sweep.execution.leases.ray_leases import open_lease_table  # noqa: PLC0415

        share = share_of(plan, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        stack.enter_context(open_lease_table(Path(plan.stage_folder)))
        yield share


@contextmanager
def _running_ray(options: Mapping[str, Any], address: str | None) -> Iterator[None]:
    """Start Ray, or join the cluster at an address, for as long as the block runs.

    Raises:
        InputError: if the cluster cannot be reached, Ray cannot start, or this process has started one.
    """
    import ray  # noqa: PLC0415  Ray reads its environment when it is imported

    from autohier.sweep.execution.ray_session.private_state import (  # noqa: PLC0415
        shielded_from_signals,
        use_prestarted_workers,
    )

    if ray.is_initialized():
        raise InputError(
            "a sweep starts its own Ray session", got="one in this process", hint="call ray.shutdown() first"
        )
    logging.getLogger("ray").setLevel(logging.ERROR)
    # In a thread, because in the main one Ray replaces the handler of SIGTERM by its own. The thread lives
    # as long as Ray: Linux ends Ray's processes with the thread that started them.
    with ThreadPoolExecutor(1) as executor:
        try:
            with nullcontext() if address else closed_to_others():
                start = executor.submit(
                    shielded_from_signals()(ray.init),
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    configure_logging=True,
                    **options,
                )
                # Ray also installs a handler of SIGTERM outside Python, which aborts the process.
                while not start.done():
                    time.sleep(_POLL_S)
                    reinstall_handlers()
            if error := start.exception():
                raise join_error(address, error) if address else _not_started(error) from error
            if not address:
                use_prestarted_workers()
            yield
        finally:
            ray.shutdown()  # also what a failed start has started


def local_options(machine: MachineShare, temp_folder: Path) -> dict[str, Any]:
    """Return the options of `ray.init` that start a local Ray on a share of this machine."""
    options: dict[str, Any] = {
        "address": "local",  # because Ray would join a cluster that it finds by itself
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES,
        # Ray by itself takes the whole machine, also under taskset and in a job of Slurm.
        "num_cpus": machine.cores,
        "_temp_dir": str(temp_folder),
    }
    if machine.memory_bytes is not None:
        options["_memory"] = max(TRIAL_BYTES, machine.memory_bytes - _OWN_BYTES)
    return options


def _not_started(error: BaseException) -> InputError:
    return InputError(
        "Ray must be able to start on this machine",
        got=error,
        hint="write paths and options in UTF-8"
        if isinstance(error, UnicodeError)
        else "free memory and disk space, or wait until the machine is less busy, and run the command again; "
        "with RAY_TMPDIR=DIR, Ray's logs stay in DIR",
    )
