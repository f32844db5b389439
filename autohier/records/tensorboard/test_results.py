"""Test results of a trial as TensorBoard scalars, next to its curves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from autohier.records.schema import EvaluationRow
from autohier.records.tensorboard.event_files import TESTED_FILE, event, scalar, write_event_file

_NOT_IN_TAGS: Final = re.compile(r"[^A-Za-z0-9]+")


def write_test_results(run_folder: Path, rows: Iterable[EvaluationRow], num_levels: int) -> None:
    """Write the test results of a trial; they replace those that were written before.

    Tags are ``test/NETWORK/accuracy_stack/l``, ``.../top5_stack/l`` and ``.../mean_class_stack/l``, where
    NETWORK is e.g. ``pass-2-refit``, and levels count as in the curves; and ``.../accuracy_pathway/NAME`` if
    the network has several pathways. The step counts the evaluations of
    that network, from 0.

    Args:
        run_folder: the trial's folder in the TensorBoard root.
        rows: all test results of the trial.
        num_levels: number of its supervised levels, L; a network of pass 1 has only the last one.

    Raises:
        OSError: if the folder cannot be written.
    """
    steps: Counter[str] = Counter()
    events: list[Event] = []
    for row in sorted(rows, key=lambda row: row.evaluated_at):
        written = event(steps[row.stage], list(_values(row, num_levels)))
        written.wall_time = row.evaluated_at.timestamp()
        events.append(written)
        steps[row.stage] += 1
    write_event_file(run_folder / TESTED_FILE, events)


def _values(row: EvaluationRow, num_levels: int) -> Iterator[Summary.Value]:
    network = _NOT_IN_TAGS.sub("-", row.stage)
    for name, values in (
        ("accuracy", row.stack_accuracies),
        ("top5", row.stack_top5_accuracies),
        ("mean_class", row.stack_mean_class_accuracies),
    ):
        for level, value in enumerate(values, start=num_levels - len(values) + 1):
            yield scalar(f"test/{network}/{name}_stack/{level}", value)
    for pathway, value in zip(row.pathways, row.pathway_accuracies, strict=True):
        yield scalar(f"test/{network}/accuracy_pathway/{pathway}", value)
