"""Write the reference of ``--json`` and ``--csv`` as Markdown, from the rows' annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autohier.reports.evaluations.evaluated import ClipPrediction, EvaluatedModel
from autohier.reports.evaluations.robustness import RobustnessRow
from autohier.reports.live import LabelRow, LiveSummary, PartSpeed
from autohier.reports.output import columns_of
from autohier.reports.protocols import ProtocolResult
from autohier.reports.stages import StageEntry
from autohier.reports.sweeps.comparison import ConfigDifference, LeadingConfig, SweepDifference
from autohier.reports.sweeps.running import RunningTrial, RunningWork, TimeLeft
from autohier.reports.sweeps.standings import ReportedResult, TrialStanding
from autohier.reports.sweeps.summary import SweepSummary
from autohier.reports.trials.ablation import AblationRow
from autohier.reports.trials.front import FrontNetwork
from autohier.sweep.planning.summary import PlannedQuantity

ROWS: dict[str, tuple[tuple[str, type[Any]], ...]] = {
    "list": (("sweeps", SweepSummary),),
    "status": (
        ("trials", TrialStanding),
        ("sweep", SweepSummary),
        ("running", RunningTrial),
        ("work", RunningWork),
        ("time_left", TimeLeft),
        ("result", ReportedResult),
    ),
    "status --front": (("front", FrontNetwork),),
    "status A B": (("protocols", ProtocolResult),),
    "compare": (
        ("sweeps", LeadingConfig),
        ("differences", SweepDifference),
        ("settings", ConfigDifference),
    ),
    "ablation": (("ablation", AblationRow),),
    "store": (("stages", StageEntry),),
    "plan": (("quantities", PlannedQuantity),),
    "robustness": (("robustness", RobustnessRow),),
    "live": (("labels", LabelRow), ("speeds", PartSpeed), ("summary", LiveSummary)),
    "evaluate": (("evaluation", EvaluatedModel), ("clips", ClipPrediction)),
}
"""Parts of the JSON of each command, with the kind of their rows; CSV holds the first."""
WITHOUT_CSV = {"evaluate"}
"""Commands that print no CSV."""


def write_output() -> str:
    """Return a section for each command and part, with all its fields."""
    return "\n".join(
        line
        for command, parts in ROWS.items()
        for index, (part, row_type) in enumerate(parts)
        for line in _section(command, part, row_type, in_csv=index == 0 and command not in WITHOUT_CSV)
    )


def _section(command: str, part: str, row_type: type[Any], *, in_csv: bool) -> Iterator[str]:
    forms = "JSON and CSV" if in_csv else "JSON"
    yield from (f"### `autohier {command}`: `{part}` ({forms})", "", (row_type.__doc__ or "").strip(), "")
    yield from ("| Field | Type | Meaning |", "|---|---|---|")
    for column in columns_of(row_type):
        doc = column.doc.replace("|", "\\|")
        yield f"| `{column.name}` | {column.type_name} | {doc} |"
    yield ""
