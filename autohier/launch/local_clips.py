"""The folder of copies of the clips on each machine, as a launch file passes it to all processes."""

from __future__ import annotations

from autohier.config.launch import MachineSettings
from autohier.config.sweep import LOCAL_CLIPS_VARIABLE
from autohier.errors import InputError


def local_clips_variable(machines: MachineSettings) -> dict[str, str]:
    """Return the environment variable of the folder; none if the clips are not copied.

    Raises:
        InputError: if the folder names a variable, which only a job of Slurm has.
    """
    if machines.local_clips is None:
        return {}
    if "$" in machines.local_clips:
        raise InputError(
            "machines.local_clips must be a path without variables, except under Slurm",
            got=machines.local_clips,
            hint="write the path of a folder on each machine's disk, e.g. /scratch",
        )
    return {LOCAL_CLIPS_VARIABLE: machines.local_clips}
