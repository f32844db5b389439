"""Prints the number of inputs per reader at the end."""

from __future__ import annotations

import pytest

from support.fuzz.law import NUM_TRIED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if NUM_TRIED:
        terminalreporter.section("inputs tried against readers")
        counts = ", ".join(f"{reader} {count:,}" for reader, count in sorted(NUM_TRIED.items()))
        terminalreporter.line(f"{counts}; {NUM_TRIED.total():,} in all")
