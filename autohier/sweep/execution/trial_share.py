"""The share of the machines that one trial holds: its cores and GPUs, and how many trials fit at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from autohier.config.sweep import SweepPlan
from autohier.errors import InputError
from autohier.text import plural

TRIAL_BYTES = 1 << 30
"""Memory that a trial takes at least, most of it for the libraries that it loads."""


@dataclass(frozen=True, slots=True)
class Share:
    """Share of the machines that one trial holds, and the number of trials in parallel."""

    cpus: float
    gpus: float
    parallel: int
    node_cpus: float
    """Cores of the largest machine that fits a trial, for a stage that runs alone."""
    count: Callable[[], int] | None = field(default=None, compare=False)
    """Returns the number of trials in parallel on the machines that there are now; None if they stay."""

    def parallel_now(self) -> int:
        """Return the number of trials in parallel, which follows machines that join or leave."""
        return self.parallel if self.count is None else self.count()

    @property
    def num_threads(self) -> int:
        """Number of threads that a trial computes with."""
        return max(1, int(self.cpus))

    def alone(self) -> Share:
        """Return the share of a stage that all trials wait for."""
        return replace(self, cpus=max(self.cpus, self.node_cpus))


def share_of(plan: SweepPlan, nodes: Sequence[Mapping[str, float]]) -> Share:
    """Return the share of one trial.

    Args:
        plan: gives ``parallel``, ``cpus_per_trial`` and ``gpus_per_trial``. Without ``parallel``, a machine
            runs at most one trial per GiB of its memory.
        nodes: resources of every machine, by Ray's names.

    Raises:
        InputError: if no machine fits a trial.
    """
    has_gpu = any(node.get("GPU", 0) for node in nodes)
    gpus = plan.gpus_per_trial if plan.gpus_per_trial is not None else float(has_gpu)
    cpus = plan.cpus_per_trial or _cpus_per_trial(gpus, nodes)
    num_fitting = sum(_trials_on(node, cpus, gpus) for node in nodes)
    if not num_fitting:
        sizes = Counter(_size_text(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes)
        raise InputError(
            f"a trial of {_size_text(cpus, gpus)} must fit one machine",
            got=", ".join(f"{plural(number, 'machine')} of {size}" for size, number in sizes.items()),
            hint="lower --cpus-per-trial or --gpus-per-trial",
        )
    node_cpus = max(node.get("CPU", 0) for node in nodes if _trials_on(node, cpus, gpus))
    parallel = plan.parallel or sum(trials_in_memory(node, cpus, gpus) for node in nodes)
    return Share(cpus, gpus, min(parallel, num_fitting), node_cpus)


def count_trials(plan: SweepPlan, share: Share, nodes: Sequence[Mapping[str, float]]) -> int:
    """Return the number of trials in parallel on machines, 0 if none fits one; see `share_of`."""
    fitting = [node for node in nodes if fits_trial(node, share)]
    in_memory = sum(trials_in_memory(node, share.cpus, share.gpus) for node in fitting)
    number = sum(_trials_on(node, share.cpus, share.gpus) for node in fitting)
    return min(plan.parallel or in_memory, number)


def _size_text(cpus: float, gpus: float) -> str:
    """Return a share of a machine as text, e.g. "1 CPU and 0.5 GPUs"."""
    return f"{cpus:g} CPU{'' if cpus == 1 else 's'} and {gpus:g} GPU{'' if gpus == 1 else 's'}"


def _cpus_per_trial(gpus: float, nodes: Sequence[Mapping[str, float]]) -> float:
    """Return the default number of cores: they decode clips while the GPU computes."""
    if not gpus:
        return 1.0
    holding = [node for node in nodes if node.get("GPU", 0) >= gpus]
    return float(max(1, min((node.get("CPU", 0) * gpus // node["GPU"] for node in holding), default=1)))


def fits_trial(node: Mapping[str, float], share: Share) -> bool:
    """Return True if a machine with these resources can run a trial with this share."""
    return _trials_on(node, share.cpus, share.gpus) > 0


def trials_in_memory(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """Return how many shares a machine with these resources has, each with 1 GiB of memory."""
    in_memory = max(1.0, node.get("memory", math.inf) / TRIAL_BYTES)
    return int(min(_trials_on(node, cpus, gpus), in_memory))


def _trials_on(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    by_cpus = int(node.get("CPU", 0) / cpus)
    return min(by_cpus, int(node.get("GPU", 0) / gpus)) if gpus else by_cpus
