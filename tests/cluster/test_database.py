"""A study in PostgreSQL that restarts in the middle of a sweep: nothing is lost, and one line says so."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from support.cluster.postgresql import missing_for_postgresql, open_server
from support.cluster.ray_cluster import VirtualCluster
from support.cluster.sweeps import search
from support.waiting import PATIENCE_S, wait_until

OUTAGE_S = 15


@pytest.mark.slow
@pytest.mark.skipif(missing_for_postgresql() is not None, reason=missing_for_postgresql() or "")
def test_a_sweep_goes_on_after_its_database_restarts(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("first")
    records = shared / "sweeps" / "a" / "records" / "trials"
    with (
        tempfile.TemporaryDirectory() as parent,  # not below pytest's folders, which no other user may enter
        open_server(_open_to_all(Path(parent)) / "server", cluster.network.host_address) as server,
    ):
        driver = search(cluster, "--trials", "4", "--storage", server.url)
        wait_until(lambda: list(records.glob("*")), "the record of a trial", pause_s=0.2)
        server.stop()
        time.sleep(OUTAGE_S)
        server.start()
        out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    assert out.count("the study's database does not answer") == 1, out + err
    assert out.count("the study's database answers again") == 1, out + err
    assert sorted(pd.read_parquet(records).number) == [0, 1, 2, 3], out + err


def _open_to_all(folder: Path) -> Path:
    folder.chmod(0o755)
    return folder
