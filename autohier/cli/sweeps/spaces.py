"""``autohier spaces``: list the search spaces that come with the package."""

from __future__ import annotations

from autohier.cli.echo import echo


def spaces() -> None:
    """List the shipped search spaces."""
    from autohier.config.search.loading import load_space, shipped_spaces

    for name in shipped_spaces():
        space = load_space(name)
        variants = f"; variants {', '.join(space.search.variants)}" if space.search.variants else ""
        echo(f"{name:<18} {space.num_classes:>3} classes  {space.description}{variants}")
