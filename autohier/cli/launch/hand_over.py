"""Shared by the commands of ``autohier launch``: settings, checks, writing and handing over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from autohier.cli.echo import echo
from autohier.cli.sweeps.search import search
from autohier.cli.usage_errors import UsageError, usage_text
from autohier.errors import InputError
from autohier.text import shell_words

if TYPE_CHECKING:
    from autohier.config.launch import LaunchSettings, SearchSettings
    from autohier.launch.launch_file import LaunchFile

_SET_BY_THE_FILE: Final = (
    "--trials",
    "--name",
    "--data",
    "--out",
    "--storage",
    "--ray-address",
    "--protocols",
)


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """Options of the command line that all commands of ``autohier launch`` have."""

    settings: Path | None
    sweep: Mapping[str, object]
    """Changed settings of the table ``search``; None changes nothing, as for the following."""
    sizes: Mapping[str, object]
    """Changed settings of the table ``machines``."""
    changes: Sequence[str]
    to: Path
    overwrite: bool
    submit: bool
    dry_run: bool


def hand_over(make: Callable[[LaunchSettings], LaunchFile], options: LaunchOptions) -> None:
    """Make a launch file, and print it, write it, or hand it over.

    Raises:
        InputError: if a setting is invalid, the file exists with another content, or a command fails.
    """
    from autohier.config.launch import load_launch_settings
    from autohier.launch.launch_file import submit, write

    changes = {
        **{f"search.{key}": value for key, value in options.sweep.items()},
        **{f"machines.{key}": value for key, value in options.sizes.items()},
    }
    settings = load_launch_settings(options.settings, changes, options.changes)
    check_search(settings.search)
    file = make(settings)
    path = options.to / file.name
    commands = [shell_words(*command) for command in file.commands_for(path)]
    if options.dry_run:
        echo(file.content_in(options.to).rstrip("\n"))
        for command in commands:
            echo(f"would run: {command}", err=True)
        return
    write(file, options.to, overwrite=options.overwrite)
    echo(f"wrote {path}")
    if options.submit:
        submit(file, path)
    else:
        for command in commands:
            echo(f"submit:   {command}")


def check_search(settings: SearchSettings) -> None:
    """Check the sweep on this machine, before the machines are waited for.

    Raises:
        InputError: if a search space on this machine is unknown or invalid, or an option is unknown.
    """
    from autohier.config.search.loading import load_space

    for option in settings.options:
        if option.partition("=")[0] in _SET_BY_THE_FILE:
            raise InputError(
                "search.options must hold no option that the launch file sets itself",
                got=option,
                hint="use the setting of its name in the table [search]",
            )
    app = typer.Typer(add_completion=False)
    app.command("search")(search)
    parser = typer.main.get_command(app)
    try:
        context = parser.make_context("autohier search", [settings.space, *settings.options])
    except UsageError as error:
        raise InputError(f"search.options: {usage_text(error)}") from error
    if not settings.space.endswith(".toml") or Path(settings.space).is_file():
        load_space(settings.space, context.params["overrides"] or ())
