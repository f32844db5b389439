"""Write the reference of the command line as Markdown, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer

from autohier.cli.main import app

_TYPES = {str: "text", int: "integer", float: "number", Path: "path"}


def write_cli() -> str:
    """Return a section for each command, with its arguments and options."""
    root = typer.main.get_command(app)
    return "\n".join(
        line for name, command in _commands(root, "autohier") for line in _section(name, command)
    )


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{prefix} {name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")


def _section(name: str, command: Any) -> Iterator[str]:
    hints = get_type_hints(command.callback)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    metavars = [each.metavar or each.name.upper() for each in arguments]
    yield from (f"## {name}", "", inspect.cleandoc(command.help or ""), "")
    yield from ("```text", " ".join([name, *metavars, "[OPTIONS]"]), "```", "")
    if arguments:
        yield from ("| Argument | Meaning |", "|---|---|")
        for metavar, each in zip(metavars, arguments, strict=True):
            yield f"| `{_cell(metavar)}` | {_cell(each.help)} |"
        yield ""
    if options:
        yield from ("| Option | Value | Default | Meaning |", "|---|---|---|---|")
        for each in options:
            names = ", ".join(f"`{option}`" for option in (*each.opts, *each.secondary_opts))
            yield f"| {names} | {_value(each, hints)} | {_default(each)} | {_cell(each.help)} |"
        yield ""


def _value(option: Any, hints: dict[str, Any]) -> str:
    """Return the value that an option takes, in words; nothing for a switch."""
    hint = hints[option.name]
    if get_origin(hint) is not Literal:
        hint = next(each for each in (get_args(hint) or (hint,)) if each is not NoneType)
    hint = get_args(hint)[0] if get_origin(hint) is list else hint
    lowest = getattr(option, "min", None)
    bounds = [] if lowest is None else [f"≥ {lowest}"]
    choices = get_args(hint) if get_origin(hint) is Literal else tuple(getattr(hint, "__members__", ()))
    metavar = option.metavar or "|".join(map(str, choices))
    value = f"`{_cell(metavar)}`" if metavar else _TYPES.get(hint, "")
    words = [value, *bounds]
    return " ".join(word for word in words if word)


def _default(option: Any) -> str:
    default = option.default
    if option.required:
        return "required"
    if isinstance(default, bool):
        return f"`{option.opts[0]}`" if default else ""
    return "" if default is None or default == () else f"`{default}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
