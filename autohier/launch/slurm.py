"""A job of Slurm that starts Ray on its machines and runs a sweep on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from autohier.config.launch import LaunchSettings
from autohier.config.sweep import LOCAL_CLIPS_VARIABLE
from autohier.errors import InputError
from autohier.launch.filling import Verbatim, fill, quote_for_shell, read_template, shell_list
from autohier.launch.launch_file import PATH, LaunchFile
from autohier.launch.search_command import search_command

_MEMORY_MB: Final = 1024


def slurm_job(settings: LaunchSettings) -> LaunchFile:
    """Return the batch script of a sweep.

    Relative paths in the settings are relative to the working folder, which all machines must share.

    Raises:
        InputError: if the path of the sweeps cannot be written into the script.
    """
    search, slurm = settings.search, settings.slurm
    out = Path(search.out).absolute()
    space = str(Path(search.space).absolute()) if search.space.endswith(".toml") else search.space
    command = search_command(search, space=space, data=str(Path(search.data).absolute()), out=str(out))
    environment = dict(settings.environment)
    if search.password_file is not None:
        environment["AUTOHIER_STORAGE_PASSWORD_FILE"] = str(Path(search.password_file).absolute())
    if slurm.interface is not None:
        environment |= {"GLOO_SOCKET_IFNAME": slurm.interface, "NCCL_SOCKET_IFNAME": slurm.interface}
    bin_folder = (
        Path(slurm.environment).absolute() / "bin" if slurm.environment else Path(sys.executable).parent
    )
    values: dict[str, object] = {
        "name": search.name,
        "directives": Verbatim("\n".join(f"#SBATCH {option}" for option in _directives(settings, out))),
        "out": out,
        "max_requeues": slurm.max_requeues,
        "wait_minutes": slurm.wait_minutes,
        "min_nodes": slurm.min_nodes,
        "search": shell_list(command),
        "gpu_options": shell_list(_gpu_options(settings)),
        "interface": slurm.interface or "",
        "setup": Verbatim("\n".join(_setup_lines(settings))),
        "bin": bin_folder,
        "environment": Verbatim("\n".join(_exports(environment, settings.machines.local_clips))),
    }
    content = fill(read_template("slurm/job.sh"), values, quote=quote_for_shell)
    return LaunchFile(
        f"{search.name}.sbatch",
        content,
        (("sbatch", PATH),),
        "run this on a machine of the Slurm cluster",
        (out,),
    )


def _exports(environment: Mapping[str, str], local_clips: str | None) -> Iterator[str]:
    for key, value in environment.items():
        yield f"export {key}={quote_for_shell(value)}"
    if local_clips is not None:  # with variables of the job, whose names the settings check
        yield f'export {LOCAL_CLIPS_VARIABLE}="{local_clips}"'


def _directives(settings: LaunchSettings, out: Path) -> Iterator[str]:
    """Yield the options of ``sbatch``, as its own reader of ``#SBATCH`` lines splits them."""
    search, machines, slurm = settings.search, settings.machines, settings.slurm
    yield f"--job-name={search.name}"
    yield f"--output={_quote_for_sbatch(_log_pattern(out, search.name))}"
    yield "--open-mode=append"
    yield f"--nodes={machines.nodes}"
    yield "--ntasks-per-node=1"
    yield f"--cpus-per-task={machines.cpus}"
    yield from _gpu_options(settings)
    if machines.memory_gb is not None:
        yield f"--mem={machines.memory_gb * _MEMORY_MB}M"
    yield f"--time={slurm.time}"
    for name in ("partition", "account", "qos", "constraint"):
        value = getattr(slurm, name)
        if value is not None:
            yield f"--{name}={value}"
    yield f"--signal=B:USR1@{slurm.notice_s}"
    yield "--requeue"
    yield from slurm.sbatch_options


def _gpu_options(settings: LaunchSettings) -> list[str]:
    if not settings.machines.gpus:
        return []
    words = ["gpu", *filter(None, [settings.slurm.gpu_type]), str(settings.machines.gpus)]
    return [f"--gres={':'.join(words)}"]


def _log_pattern(out: Path, name: str) -> str:
    """Return the path of the job's log as a pattern of Slurm, in which %j is the job's id."""
    if "\\" in str(out):
        raise InputError(
            "the path of --out must hold no backslash under Slurm", got=out, hint="rename the folder"
        )
    return f"{str(out).replace('%', '%%')}/{name}-%j.log"


def _quote_for_sbatch(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def _setup_lines(settings: LaunchSettings) -> Iterator[str]:
    slurm = settings.slurm
    if slurm.modules:
        yield f"module load {shell_list(slurm.modules)}"
    if slurm.setup_script is not None:
        yield f"source {quote_for_shell(Path(slurm.setup_script).absolute())}"
