"""Options that a command does not take, and errors that say what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from autohier.errors import InputError

_RETIRED: Final = {"--stopping": "--scheduler successive-halving, or --scheduler none"}
"""What to write instead, by retired option."""
_FIXED: Final = frozenset(
    (
        *("--set", "--sampler", "--scheduler", "--seed", "--callback", "--warm-from", "--storage"),
        *("--drop-duplicates", "--protocols", "--name"),
    )
)
"""Options of ``search`` that an existing sweep keeps."""


def check_retired_options(arguments: Sequence[str]) -> None:
    """Refuse an option that has been renamed, and one that a sweep keeps from its start.

    Args:
        arguments: command line without the program's name.

    Raises:
        InputError: if there is such an option.
    """
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    for argument in arguments:
        if argument == "--":
            return
        option = argument.partition("=")[0]
        if option in _RETIRED:
            raise InputError(f"{option} is an option of autohier 0.1", hint=f"write {_RETIRED[option]}")
        if command == "resume" and option in _FIXED:
            raise InputError(
                f"{option} is fixed when a sweep starts, so resume does not take it",
                hint="leave it out, or start a new sweep with 'autohier search'; it reuses the stages that "
                "both need",
            )
