"""The comparison of records after random kills; the sweeps themselves would take minutes."""

import pandas as pd
import pytest

from support.benchmark_modules import load_benchmark


@pytest.fixture(scope="module")
def random_kills():
    return load_benchmark("random_kills")


def write_records(folder, ignored, **rows):
    for kind, columns in ignored.items():
        path = folder / "sweeps" / "killed" / "records" / kind
        path.mkdir(parents=True)
        defaults = {name: [1.0, 2.0] for name in columns} | {"accuracy": [0.5, 0.6]}
        pd.DataFrame(defaults | rows.get(kind, {})).to_parquet(path / "part.parquet")
    return folder


def test_accuracies_are_compared_and_times_are_not(random_kills, tmp_path):
    one = write_records(tmp_path / "one", random_kills._UNTIMED)
    slower = write_records(tmp_path / "slower", random_kills._UNTIMED, epochs={"seconds": [9.0, 9.0]})
    other = write_records(tmp_path / "other", random_kills._UNTIMED, stages={"accuracy": [0.5, 0.7]})
    assert random_kills.differences(one, slower) == []
    assert random_kills.differences(one, other) == ["stages"]


def test_the_report_counts_kills_by_kind(random_kills):
    killed = ["worker", "driver by SIGINT", "worker"]
    assert random_kills.report(killed, 2, []) == [
        "3 kills in 2 sweeps (1 x driver by SIGINT, 2 x worker): no record differs"
    ]
    assert random_kills.report(killed, 2, ["tests"])[0].endswith("records differ: tests")
