"""The ``autohier search`` command that a launch file runs."""

from __future__ import annotations

from autohier.config.launch import SearchSettings


def search_command(search: SearchSettings, *, space: str, data: str, out: str) -> list[str]:
    """Return the words of the command; the Ray address is appended by the launch file.

    Args:
        search: the sweep.
        space: search space as the machines find it.
        data: folder of the prepared datasets on the machines.
        out: folder of the sweeps on the machines.
    """
    return [
        *("autohier", "search", space, "--trials", str(search.trials)),
        *("--name", search.name, "--resume-if-exists", "--data", data, "--out", out),
        *(() if search.storage is None else ("--storage", search.storage)),
        *search.options,
    ]
