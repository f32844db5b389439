"""Check that the machines of a cluster have the same package versions, before a sweep runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from autohier.errors import InputError
from autohier.sweep.execution.signals import StopRequest

_POLL_S = 0.3


def check_machines(packages: Mapping[str, str], stop: StopRequest) -> None:
    """Check that every machine has the driver's versions of some packages.

    Args:
        packages: versions by package; if empty, nothing is checked.
        stop: ends the check.

    Raises:
        InputError: if a machine has another version, or none; names all such machines.
        SweepInterruptedError: if the sweep should stop.
    """
    if not packages:
        return
    find = ray.remote(num_cpus=0)(find_versions)
    answers = {
        find.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            list(packages)
        ): node["NodeManagerHostname"]
        for node in ray.nodes()
        if node["Alive"]
    }
    pending = list(answers)
    while pending:
        stop.check()
        _, pending = ray.wait(pending, num_returns=len(pending), timeout=_POLL_S)
    faults = [
        f"{package} {found or 'missing'} on {host}"
        for answer, host in answers.items()
        for package, found in ray.get(answer).items()
        if found != packages[package]
    ]
    if faults:
        raise InputError(
            "every machine must have the driver's versions of the extensions: "
            + ", ".join(f"{package} {installed}" for package, installed in packages.items()),
            got=", ".join(faults),
            hint="install them there",
        )


def find_versions(packages: list[str]) -> dict[str, str | None]:
    """Return the installed versions of some packages; None for a missing one."""
    versions: dict[str, str | None] = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions
