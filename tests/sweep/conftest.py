"""One Ray for all sweeps of the test session; drivers join it as they would join a cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

    from support.sweep_runs.forked_commands import CommandServer
    from support.sweep_runs.sweeps import Sweeps


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """A cluster with one machine of two cores, to which tests may add others."""
    from autohier.sweep.execution.ray_session.session import be_quiet
    from support.sweep_runs.forked_workers import SET_UP_WORKER, forked_workers

    be_quiet()
    import ray
    from ray.cluster_utils import Cluster

    # The log monitor would look at the files of all earlier workers again and again.
    options = {
        "num_cpus": 2,
        "include_dashboard": False,
        "include_log_monitor": False,
        "object_store_memory": 100 << 20,
        "setup_worker_path": SET_UP_WORKER,
    }
    # In a short folder: the path of a socket has at most 107 bytes.
    with TemporaryDirectory(prefix="autohier-") as folder, forked_workers(Path(folder)):
        cluster = Cluster(initialize_head=True, head_node_args=options)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="session")
def ray_address(ray_cluster: Cluster) -> str:
    """Address of the cluster."""
    address: str = ray_cluster.address
    return address


@pytest.fixture(scope="session")
def commands() -> Iterator[CommandServer]:
    """Starts commands in processes of their own."""
    from support.sweep_runs.forked_commands import CommandServer

    server = CommandServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def sweeps_in(tiny_data: Path, ray_address: str, commands: CommandServer) -> Callable[[Path], Sweeps]:
    """Returns sweeps in a folder."""
    from support.sweep_runs.sweeps import Sweeps

    return lambda folder: Sweeps(folder, tiny_data, ray_address, commands)


@pytest.fixture
def sweeps(tmp_path: Path, sweeps_in: Callable[[Path], Sweeps]) -> Sweeps:
    """Sweeps in the folder of this test."""
    return sweeps_in(tmp_path)
