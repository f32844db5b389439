"""Test results of a sweep's trials in TensorBoard, as its records hold them."""

from __future__ import annotations

from autohier.records.parts import read_whole_tests
from autohier.records.tensorboard.test_results import write_test_results
from autohier.sweep.paths import SweepFolder


def show_test_results(folder: SweepFolder, trial: str, num_levels: int) -> None:
    """Write all recorded test results of a trial into its TensorBoard run.

    Args:
        folder: of the sweep.
        trial: name of the trial.
        num_levels: number of its supervised levels.

    Raises:
        OSError: if the run cannot be written.
    """
    rows = [row for row in read_whole_tests(folder.records) if row.trial == trial]
    write_test_results(folder.tensorboard / trial, rows, num_levels)
