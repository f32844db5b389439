"""Clusters of virtual machines; tests that need them are skipped where the system permits none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.cluster.machines import missing_for_machines
from support.cluster.ray_cluster import VirtualCluster, open_cluster

ALL_TESTS = "AUTOHIER_CLUSTER_TESTS"
"""Variable that asks for the cluster tests that take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; skip those marked as slow unless the environment asks for them.

    Together they take half an hour, as Ray and Slurm notice the death of a machine after a minute or more; so
    they would double the time of every run.
    """
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        if item.get_closest_marker("slow") is not None and not os.environ.get(ALL_TESTS):
            reason = "takes minutes, since a lost machine is noticed after one or more"
            item.add_marker(pytest.mark.skip(reason=f"{reason}; {ALL_TESTS}=1 runs it"))
        item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def _machines_are_possible() -> None:
    reason = missing_for_machines()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def shared(tmp_path: Path, tiny_data: Path) -> Path:
    """A folder that all machines see, with the tiny clips in ``data``."""
    shutil.copytree(tiny_data, tmp_path / "data")
    return tmp_path


@pytest.fixture
def open_machines(_machines_are_possible: None, shared: Path) -> Iterator[Callable[..., VirtualCluster]]:
    """Return a function that starts a cluster with these machines and a head."""
    with ExitStack() as stack:
        yield lambda *names: stack.enter_context(open_cluster(shared, *names))
