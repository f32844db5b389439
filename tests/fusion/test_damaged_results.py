"""A damaged file of an earlier test result neither hides nor blocks a new one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from autohier.records.parts import read_whole_tests
from autohier.records.schema import EvaluationRow
from autohier.records.writer import RecordWriter
from support.sweep_runs.recorded_sweeps import TESTED_AT


def test_whole_results_are_read_and_damaged_ones_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = EvaluationRow("both", "fusion", "all", "clean", 0.5, 48, (0.5,), 0.4, 0.6, TESTED_AT)
    second = replace(first, evaluated_at=TESTED_AT + timedelta(hours=1))
    for row in (first, second):
        RecordWriter(tmp_path).add_test_result(row)
    damaged = min((tmp_path / "tests").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert read_whole_tests(tmp_path) == (second,)
    assert damaged.name in caplog.text
