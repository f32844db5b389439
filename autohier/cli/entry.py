"""Entry of the ``autohier`` command, which Ctrl-C ends quietly while the command is still imported."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it."""


def main() -> None:
    """Import the command line and run it.

    Python may lose a KeyboardInterrupt within an import, or print a traceback. Nothing is computed yet, so
    the process just ends.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from autohier.cli.main import main as run

    signal.signal(signal.SIGINT, before)
    run()
