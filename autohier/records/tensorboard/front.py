"""TensorBoard's run "front": the Pareto front of a sweep that seeks one, as curves and as a table.

Tags; the step is the multiply-adds of one clip, so that a chart shows the front itself:

* ``front/estimate``: estimated validation accuracy of the network with this cost;
* ``front/low``, ``front/high``: ends of its 95% interval;
* ``members``: a table of the networks, on the page TEXT.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.util.tensor_util import make_tensor_proto

from autohier.records.tensorboard.event_files import BEGUN_FILE, event, scalar, write_event_file

RUN = "front"
"""Name of the run; those of trials are t0000, t0001, ..."""
_COLUMNS = ("name", "multiply-adds", "parameters", "estimate", "95% interval", "config")


@dataclass(frozen=True, slots=True)
class FrontMember:
    """A network on the front."""

    name: str
    """Name in its sweep, e.g. "t0003@prune-2"."""
    multiply_adds: int
    parameters: int
    estimate: float
    low: float
    high: float
    """Estimated accuracy and its 95% interval, as shares."""
    config: str


def write_front(root_folder: Path, members: Sequence[FrontMember]) -> None:
    """Write the front of a sweep, in place of an earlier one.

    Args:
        root_folder: the folder whose subfolders are the runs.
        members: the cheapest first.

    Raises:
        OSError: if the folder cannot be written.
    """
    (root_folder / RUN).mkdir(parents=True, exist_ok=True)
    write_event_file(root_folder / RUN / BEGUN_FILE, list(_events(members)))


def _events(members: Sequence[FrontMember]) -> Iterator[Event]:
    yield event(0, [_text("members", _table(members))])
    for each in members:
        values = {"estimate": each.estimate, "low": each.low, "high": each.high}
        yield event(each.multiply_adds, [scalar(f"front/{name}", value) for name, value in values.items()])


def _text(tag: str, markdown: str) -> Summary.Value:
    metadata = create_summary_metadata(display_name="members of the Pareto front", description="")
    return Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto([markdown]))


def _table(members: Sequence[FrontMember]) -> str:
    """Return the members as a Markdown table."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS)]
    rows += [
        (
            each.name,
            f"{each.multiply_adds:,}",
            f"{each.parameters:,}",
            f"{100 * each.estimate:.1f}%",
            f"{100 * each.low:.1f}-{100 * each.high:.1f}",
            each.config,
        )
        for each in members
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
