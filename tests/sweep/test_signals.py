"""What SIGTERM does to a driver."""

import os
import signal

import pytest

from autohier.sweep.signals import sigterm_ends_tune, sigterm_interrupts

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def handlers():
    return [signal.getsignal(number) for number in NUMBERS]


def test_it_interrupts_and_the_old_handlers_come_back():
    before = handlers()
    with pytest.raises(KeyboardInterrupt, match=r"^$"), sigterm_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
    assert handlers() == before


def test_before_tune_listens_it_interrupts():
    before = handlers()
    with pytest.raises(KeyboardInterrupt, match=r"^$"), sigterm_ends_tune():
        os.kill(os.getpid(), signal.SIGTERM)
    assert handlers() == before


def test_tune_hears_of_it_and_leaves_no_handler_behind():
    before, heard = handlers(), []
    with sigterm_ends_tune():
        # As Ray Tune does when it starts, and does not undo.
        signal.signal(signal.SIGINT, lambda *_: heard.append("SIGINT"))
        signal.signal(signal.SIGUSR1, lambda *_: heard.append("SIGUSR1"))
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == ["SIGUSR1"]
    assert handlers() == before
