"""Ray, quiet and bounded: starting it, joining a cluster, and whether a trial fits its machines."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autohier.errors import InputError
from autohier.settings.sweep import SweepPlan
from autohier.sweep.signals import sigterm_interrupts

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_TRAIN_V2_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_REACHED_WITHIN_S = 20.0
_OBJECT_STORE_BYTES = 128 << 20
"""Trials exchange a few numbers; weights and clips go through files."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one trial holds of the machines, and how many trials they hold at a time."""

    cpus: float
    gpus: float
    parallel: int
    node_cpus: float
    """Of the largest machine that holds a trial: what a stage may use that runs alone."""

    @property
    def num_threads(self) -> int:
        """Threads a trial computes with."""
        return max(1, int(self.cpus))

    def alone(self) -> Share:
        """The share of a stage that all trials wait for."""
        return replace(self, cpus=max(self.cpus, self.node_cpus))


def be_quiet() -> None:
    """Set this process's environment for Ray; before Ray is imported."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def take_ready_processes() -> None:
    """Have Ray Tune take the processes that a Ray of this process' own has ready.

    It would name some variables of this environment, and one of Lightning's, as its actors' own, for which
    Ray starts others beside those. All processes of a Ray that is started here have this environment.
    """
    from ray.tune.execution import class_cache  # noqa: PLC0415  Ray reads its environment when imported

    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()


@contextmanager
def ray_session(plan: SweepPlan) -> Iterator[Share]:
    """Start Ray, or join the plan's cluster, for as long as the block runs.

    Yields:
        A trial's share of it.

    Raises:
        InputError: where the cluster cannot be reached, or no machine of it holds a trial.
    """
    if plan.ray_address:
        _require_listener(plan.ray_address)
    be_quiet()
    import ray  # noqa: PLC0415  Ray reads its environment when it is imported

    from autohier.sweep.leases import lease_book_open  # noqa: PLC0415

    options = (
        {"address": plan.ray_address}
        if plan.ray_address
        # "local", as Ray would join a cluster that it finds by itself.
        else {
            "address": "local",
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    )
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=True, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _unreached(plan.ray_address) from error
    if not plan.ray_address:
        take_ready_processes()
    with sigterm_interrupts():
        try:
            share = share_of(plan, [node["Resources"] for node in ray.nodes() if node["Alive"]])
            with lease_book_open(Path(plan.stage_folder)):
                yield share
        finally:
            ray.shutdown()


def _require_listener(address: str) -> None:
    """Ray itself tries for a quarter of an hour before it tells that nobody is there."""
    host, separator, port = address.rpartition(":")
    if not separator:
        return  # "auto", say
    try:
        socket.create_connection((host, int(port)), timeout=_REACHED_WITHIN_S).close()
    except (OSError, OverflowError, ValueError) as error:
        raise _unreached(f"{address} ({error})") from error


def _unreached(address: str | None) -> InputError:
    return InputError(
        "--ray-address must be a cluster that can be reached", got=address, remedy="start it first"
    )


def share_of(plan: SweepPlan, nodes: Sequence[Mapping[str, float]]) -> Share:
    """A trial's share of machines.

    Args:
        plan: what the sweep asks for.
        nodes: the resources of every machine, by Ray's names.

    Raises:
        InputError: where no machine holds a trial.
    """
    has_gpu = any(node.get("GPU", 0) for node in nodes)
    gpus = plan.gpus_per_trial if plan.gpus_per_trial is not None else float(has_gpu)
    cpus = plan.cpus_per_trial or _cpus_beside(gpus, nodes)
    fitting = sum(_trials_on(node, cpus, gpus) for node in nodes)
    if not fitting:
        sizes = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise InputError(
            f"a trial of {cpus:g} CPUs and {gpus:g} GPUs must fit one machine",
            got=f"machines of {sizes}",
            remedy="lower --cpus-per-trial or --gpus-per-trial",
        )
    node_cpus = max(node.get("CPU", 0) for node in nodes if _trials_on(node, cpus, gpus))
    return Share(cpus, gpus, min(plan.parallel or fitting, fitting), node_cpus)


def _cpus_beside(gpus: float, nodes: Sequence[Mapping[str, float]]) -> float:
    """Cores for a trial that was given no number: clips are decoded on them while the GPU computes."""
    if not gpus:
        return 1.0
    holding = [node for node in nodes if node.get("GPU", 0) >= gpus]
    return float(max(1, min((node.get("CPU", 0) * gpus // node["GPU"] for node in holding), default=1)))


def _trials_on(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    by_cpus = int(node.get("CPU", 0) / cpus)
    return min(by_cpus, int(node.get("GPU", 0) / gpus)) if gpus else by_cpus
