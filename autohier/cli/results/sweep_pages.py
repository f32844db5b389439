"""Shared by commands: writing the page of a sweep."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from autohier.errors import AutohierError, InputError

if TYPE_CHECKING:
    from autohier.records.reader import Records
    from autohier.sweep.paths import SweepFolder

PAGE = "report.html"
"""Name of the page in the sweep's folder."""
NUM_HARD_CLIPS = 6
_WORTH_S = 60.0
"""Training time from which on a sweep gets its page when it ends, as that takes some seconds."""


def write_page_at_end(folder: SweepFolder, records: Records) -> str:
    """Write the page of a sweep that has ended; return a line about it, empty if the sweep is too small.

    A page that cannot be written does not end the command.
    """
    from autohier.sweep.paths import relative_path

    trained_s = sum(row.seconds_computed or 0.0 for row in records.trials)
    if trained_s + sum(row.seconds_computed for row in records.work) < _WORTH_S:
        return ""
    try:
        return f"page:     {relative_path(write_page(folder, num_hard_clips=NUM_HARD_CLIPS))}"
    except (AutohierError, OSError) as error:
        return f"WARNING: no page: {error}; see 'autohier report'"


def write_page(
    folder: SweepFolder,
    *,
    file: Path | None = None,
    data: Path | None = None,
    num_hard_clips: int = 0,
    predict: bool = False,
    num_gradient_clips: int = 0,
) -> Path:
    """Write the page of a sweep; return its path.

    Args:
        folder: of the sweep.
        file: path of the page; None writes it into the sweep's folder.
        data: folder of the prepared datasets; None takes the sweep's.
        num_hard_clips: maximum number of hard clips that it shows.
        predict: see `sweep_page`.
        num_gradient_clips: see `sweep_page`.

    Raises:
        InputError: if the sweep cannot be read, or the file is a folder.
        OSError: if the page cannot be written.
    """
    # It warns of a home folder that is missing or read-only, and draws nevertheless.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from autohier.files import write_atomically
    from autohier.reports.html.sweep_page import PageSource, sweep_page
    from autohier.sweep.paths import override_places
    from autohier.sweep.recovery.record_check import read_checked
    from autohier.sweep.relocation import GivenFolders

    path = file or folder.path / PAGE
    if path.is_dir():
        raise InputError("--out must name a file, not a folder", got=path, hint=f"write --out {path}/{PAGE}")
    plan, provenance = folder.read_plan()
    plan = override_places(plan, GivenFolders(data))
    checked = read_checked(folder, plan)
    source = PageSource(folder, plan, provenance, checked.records, checked.text())
    content = sweep_page(
        source, num_hard_clips=num_hard_clips, predict=predict, num_gradient_clips=num_gradient_clips
    )
    write_atomically(path, content.encode("utf-8", errors="replace"))
    return path
