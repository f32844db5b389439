"""``autohier spaces [NAME]``: list the search spaces that come with the package, or print one."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.echo import echo


def spaces(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Shipped search space to print as TOML.")
    ] = None,
) -> None:
    """List the shipped search spaces, or print one as a start for your own."""
    from autohier.config.search.loading import load_space, shipped_spaces, shipped_text

    if name is not None:
        load_space(name)
        echo(shipped_text(name).rstrip("\n"))
        return
    for each in shipped_spaces():
        space = load_space(each)
        variants = f"; variants {', '.join(space.search.variants)}" if space.search.variants else ""
        echo(f"{each:<18} {space.num_classes:>3} classes  {space.description}{variants}")
