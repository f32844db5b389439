"""``autohier launch``: write the files that start a sweep on machines, and hand them over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.launch.hand_over import LaunchOptions, hand_over
from autohier.cli.launch.wait import wait
from autohier.cli.options import FOLDERS, MACHINES, SEARCH

if TYPE_CHECKING:
    from autohier.config.launch import LaunchSettings
    from autohier.launch.launch_file import LaunchFile

launch_app = typer.Typer(no_args_is_help=True)
_HERE = Path()
_LAUNCH_FILE = "Launch file"


@launch_app.callback()
def launch() -> None:
    """Start machines, and a sweep on them, with a launch file that one settings file fills in."""


def _launching(make: Callable[[LaunchSettings], LaunchFile]) -> Callable[..., None]:
    """Return the command that makes a kind of launch file."""

    def run(
        settings: Annotated[
            Path | None, typer.Argument(metavar="[FILE]", help="Settings file, TOML; options override it.")
        ] = None,
        space: Annotated[
            str | None,
            typer.Option(
                metavar="SPACE",
                rich_help_panel=SEARCH,
                help="Shipped search space, or a TOML file on the machines (search.space).",
            ),
        ] = None,
        name: Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                rich_help_panel=SEARCH,
                help="Name of the sweep, which continues if it exists (search.name).",
            ),
        ] = None,
        trials: Annotated[
            int | None,
            typer.Option(
                metavar="N", min=1, rich_help_panel=SEARCH, help="Number of trials (search.trials)."
            ),
        ] = None,
        data: Annotated[
            str | None,
            typer.Option(
                metavar="DIR",
                rich_help_panel=FOLDERS,
                help="Folder of the prepared datasets, shared by the machines (search.data).",
            ),
        ] = None,
        out: Annotated[
            str | None,
            typer.Option(
                metavar="DIR",
                rich_help_panel=FOLDERS,
                help="Folder of the sweeps, shared by the machines (search.out).",
            ),
        ] = None,
        nodes: Annotated[
            int | None,
            typer.Option(
                metavar="N", min=1, rich_help_panel=MACHINES, help="Number of machines (machines.nodes)."
            ),
        ] = None,
        gpus: Annotated[
            int | None,
            typer.Option(
                metavar="N", min=0, rich_help_panel=MACHINES, help="GPUs of each machine (machines.gpus)."
            ),
        ] = None,
        cpus: Annotated[
            int | None,
            typer.Option(
                metavar="N", min=1, rich_help_panel=MACHINES, help="Cores of each machine (machines.cpus)."
            ),
        ] = None,
        memory_gb: Annotated[
            int | None,
            typer.Option(
                metavar="N",
                min=1,
                rich_help_panel=MACHINES,
                help="Memory of each machine in GB (machines.memory_gb).",
            ),
        ] = None,
        changes: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="Any setting of the file, e.g. slurm.partition=gpu; repeatable.",
            ),
        ] = None,
        to: Annotated[
            Path,
            typer.Option(
                "--to", metavar="DIR", rich_help_panel=_LAUNCH_FILE, help="Folder for the launch file."
            ),
        ] = _HERE,
        overwrite: Annotated[
            bool,
            typer.Option(
                "--overwrite",
                rich_help_panel=_LAUNCH_FILE,
                help="Replace a launch file of the same name whose content differs.",
            ),
        ] = False,
        submit: Annotated[
            bool,
            typer.Option(
                "--submit",
                rich_help_panel=_LAUNCH_FILE,
                help="Hand the launch file over: this starts the sweep.",
            ),
        ] = False,
        dry_run: Annotated[
            bool,
            typer.Option(
                "--dry-run",
                rich_help_panel=_LAUNCH_FILE,
                help="Print the launch file and its commands; write and start nothing.",
            ),
        ] = False,
    ) -> None:
        sizes = {"nodes": nodes, "gpus": gpus, "cpus": cpus, "memory_gb": memory_gb}
        sweep = {"space": space, "name": name, "trials": trials, "data": data, "out": out}
        hand_over(make, LaunchOptions(settings, sweep, sizes, changes or (), to, overwrite, submit, dry_run))

    return run


def _slurm(settings: LaunchSettings) -> LaunchFile:
    from autohier.launch.slurm import slurm_job

    return slurm_job(settings)


def _kuberay(settings: LaunchSettings) -> LaunchFile:
    from autohier.launch.kuberay import kuberay_manifest

    return kuberay_manifest(settings)


def _ray(settings: LaunchSettings) -> LaunchFile:
    from autohier.launch.ray_cluster import ray_cluster

    return ray_cluster(settings)


for kind, maker, text in (
    ("slurm", _slurm, "Run a sweep as a job of Slurm, which queues itself again at its time limit."),
    ("kuberay", _kuberay, "Run a sweep as a RayJob of Kubernetes, with the KubeRay operator."),
    ("ray", _ray, "Start a Ray cluster on machines with ssh or in a cloud, and run a sweep on it."),
):
    launch_app.command(kind, help=text)(_launching(maker))
launch_app.command()(wait)
