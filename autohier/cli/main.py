"""The ``autohier`` command: its subcommands, and the one-line form of errors."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from autohier.cli.data.check import check
from autohier.cli.data.export_pyskl import export_pyskl
from autohier.cli.data.init import init
from autohier.cli.data.poses import poses
from autohier.cli.data.prepare import prepare
from autohier.cli.data.show import show
from autohier.cli.echo import echo
from autohier.cli.interruptible import CONTINUES, KEEPS_NOTHING, interruptible
from autohier.cli.launch.app import launch_app
from autohier.cli.models.compact import compact
from autohier.cli.models.evaluate import evaluate
from autohier.cli.models.export import export
from autohier.cli.models.fuse import fuse
from autohier.cli.models.live import live
from autohier.cli.models.predict import predict
from autohier.cli.models.robustness import robustness
from autohier.cli.results.ablation import ablation
from autohier.cli.results.figures import figures
from autohier.cli.results.importances import importances
from autohier.cli.results.report import report
from autohier.cli.retired_options import check_retired_options
from autohier.cli.sweeps.compare import compare
from autohier.cli.sweeps.confirm import confirm
from autohier.cli.sweeps.listing import list_sweeps
from autohier.cli.sweeps.plan import plan
from autohier.cli.sweeps.resume import resume
from autohier.cli.sweeps.search import search
from autohier.cli.sweeps.spaces import spaces
from autohier.cli.sweeps.status import status
from autohier.cli.sweeps.store import store_app
from autohier.cli.sweeps.train import train
from autohier.cli.usage_errors import UsageError, usage_text
from autohier.errors import AutohierError, cause_text
from autohier.text import EscapingFormatter, accept_any_text, shown
from autohier.version import __version__

_ORDER = (
    *("poses", "prepare", "check", "init", "plan", "search", "launch", "list", "status", "resume", "confirm"),
    *(
        "report",
        "figures",
        "compare",
        "importances",
        "ablation",
        "evaluate",
        "robustness",
        "fuse",
        "export",
        "predict",
        "live",
        "compact",
        "show",
    ),
    *("train", "store", "spaces", "export-pyskl"),
)
"""Commands in the order of their use."""


class _Commands(TyperGroup):
    """Commands in the order of their use, as ``--help`` lists them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names of all commands, see `TyperGroup`."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    name="autohier",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_CONTINUE = (poses, prepare, search, resume, confirm, train, fuse, evaluate, export, robustness)
"""Commands that continue where they were interrupted, if they are run again."""
_CHANGE_NOTHING = (
    *(
        list_sweeps,
        status,
        report,
        figures,
        compare,
        importances,
        ablation,
        init,
        predict,
        live,
        compact,
        spaces,
        check,
        plan,
        show,
    ),
    export_pyskl,
)
for command in (*_CONTINUE, *_CHANGE_NOTHING):
    text = CONTINUES if command in _CONTINUE else KEEPS_NOTHING
    # Ids of clips, for show, may begin with a dash, like options.
    settings = {"ignore_unknown_options": command is show}
    app.command("list" if command is list_sweeps else None, context_settings=settings)(
        interruptible(command, text)
    )
app.add_typer(launch_app, name="launch")
app.add_typer(store_app, name="store")


def _print_version(asked: bool) -> None:
    if asked:
        echo(f"autohier {__version__}")
        raise typer.Exit


@app.callback()
def check_command_line(
    version: Annotated[  # noqa: ARG001  typer calls _print_version
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version of autohier.")
    ] = False,
) -> None:
    """Search for the best hierarchical, pruned action recognizer."""
    check_retired_options(sys.argv[1:])


USER_ERROR = 2


def main() -> None:
    """Run the command line.

    Errors that a user can cause are one line on standard error and exit code 2, including errors of the
    operating system, e.g. a folder that cannot be written or a full disk, and packages that are missing in an
    environment that predicts only.
    """
    # OpenMP reads this when torch is imported, here and in the processes of a local Ray. Threads that spin
    # while they wait occupy cores that other threads need: on a busy machine, two threads then take ten
    # times as long as one. Those of numpy and scipy always spin, and our matrices are too small for several.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    accept_any_text(sys.stdout)
    # Warnings of commands that keep no log.
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(EscapingFormatter())
    try:
        code = app(prog_name="autohier", standalone_mode=False)
    except UsageError as error:
        if text := usage_text(error):
            sys.stderr.write(f"autohier: {shown(text)}\n")
        sys.exit(USER_ERROR)
    except AutohierError as error:
        sys.stderr.write(f"autohier: {shown(str(error))}\n")
        sys.exit(USER_ERROR)
    except OSError as error:
        sys.stderr.write(f"autohier: {shown(cause_text(error))}\n")
        sys.exit(USER_ERROR)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"autohier: {_missing_package_text(error)}\n")
        sys.exit(USER_ERROR)
    sys.exit(code if isinstance(code, int) else 0)


def _missing_package_text(error: ModuleNotFoundError) -> str:
    """Return what to install for a package that is missing; raise the error again if it is our own module."""
    package = (error.name or "").split(".")[0]
    if package in {"", "autohier"}:
        raise error
    return f"this command needs the package {shown(package)}, which is not installed: pip install autohier"
