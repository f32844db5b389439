"""The ``autohier`` command: registers its commands and turns errors into one line and exit code 2."""

from __future__ import annotations

import os
import sys

import typer

from autohier.cli.check import check
from autohier.cli.compact import compact
from autohier.cli.evaluate import evaluate
from autohier.cli.export_pyskl import export_pyskl
from autohier.cli.fuse import fuse
from autohier.cli.plan import plan
from autohier.cli.prepare import prepare
from autohier.cli.resume import resume
from autohier.cli.search import search
from autohier.cli.show import show
from autohier.cli.spaces import spaces
from autohier.cli.status import status
from autohier.cli.store import store_app
from autohier.cli.train import train
from autohier.errors import AutohierError

app = typer.Typer(
    name="autohier",
    help="Search for the best hierarchical, pruned action recognizer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(prepare, search, resume, status, train, fuse, evaluate, compact),
    *(spaces, check, plan, show, export_pyskl),
):
    # Clips of show may be called after videos whose names begin with a dash, as options do.
    app.command(context_settings={"ignore_unknown_options": command is show})(command)
app.add_typer(store_app, name="store")

USER_ERROR = 2


def main() -> None:
    """Run the command line; an error a user can cause is one line on standard error and exit code 2.

    So is what the system refuses, e.g. a folder that cannot be written or a full disk.
    """
    # Read when torch is loaded, here and in the processes of a Ray that is started here. Threads that spin
    # where they wait for each other take the core that another one needs: beside other work, two threads
    # then take ten times as long as one.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except (AutohierError, OSError) as error:
        sys.stderr.write(f"autohier: {error}\n")
        sys.exit(USER_ERROR)
