"""Ctrl-C of commands that compute in their own process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from autohier.cli.interruptible import ended_by_signals
from autohier.machine import ENDING_SIGNALS
from autohier.sweep.planning import estimate
from support.command_line import Autohier


def test_an_interrupted_plan_does_not_promise_to_continue(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(estimate, "estimate_sweep", interrupt)
    ended = autohier("plan", "demo", "--data", tmp_path)
    assert (ended.code, ended.err) == (130, "interrupted; nothing was changed\n")


def test_the_second_signal_ends_the_block_at_once() -> None:
    stops = []
    with pytest.raises(KeyboardInterrupt), ended_by_signals(lambda: stops.append(1)):
        signal.raise_signal(signal.SIGINT)
        assert stops == [1]
        signal.raise_signal(signal.SIGINT)
    assert stops == [1]


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_every_ending_signal_stops_the_block_unless_it_is_ignored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stops = []
    with ended_by_signals(lambda: stops.append(1)):
        signal.raise_signal(number)
    assert stops == [1]
    try:
        signal.signal(number, signal.SIG_IGN)  # as nohup does for SIGHUP
        with ended_by_signals(lambda: stops.append(2)):
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert stops == [1]
