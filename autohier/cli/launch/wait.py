"""``autohier launch wait``: wait until the machines of a Ray cluster have joined; launch files call it."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.echo import echo

_SECONDS_PER_MINUTE = 60


def wait(
    ray_address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address of the Ray cluster, HOST:PORT.")
    ],
    machines: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Names of the machines, separated by commas; by default any."),
    ] = None,
    minutes: Annotated[float, typer.Option(metavar="N", min=0, help="Longest wait.")] = 10.0,
    at_least: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of machines that must have joined.")
    ] = 1,
) -> None:
    """Wait until Ray runs on the machines, and name those that are missing."""
    from autohier.sweep.execution.cluster.arrivals import wait_for_machines

    wait_for_machines(
        ray_address,
        machines.split(",") if machines else [],
        at_least=at_least,
        timeout_s=minutes * _SECONDS_PER_MINUTE,
        say=echo,
    )
