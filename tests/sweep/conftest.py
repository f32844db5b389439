"""One Ray for all sweeps of the test session; drivers join it as they would join a cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sweeps import Sweeps


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a cluster of two cores."""
    from autohier.sweep.cluster import be_quiet

    be_quiet()
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture
def sweeps(tmp_path: Path, tiny_data: Path, ray_address: str) -> Sweeps:
    """Sweeps in a folder of this test."""
    from sweeps import Sweeps

    return Sweeps(tmp_path, tiny_data, ray_address)
