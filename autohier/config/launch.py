"""Settings of ``autohier launch``: the sweep, the machines, and how Slurm, KubeRay or Ray provide them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, PositiveInt, field_validator

from autohier.config.frozen import FrozenModel, validate
from autohier.config.plain_names import check_plain_name
from autohier.config.search.loading import apply_override, parse_toml, set_value
from autohier.config.storage_url import HOW_TO_PASS, has_password
from autohier.config.sweep import SWEEP_NAME_MARKS
from autohier.errors import InputError

_SECRET_NAME: Final = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL", re.IGNORECASE)
_NAMES_A_PLACE: Final = re.compile(r"(_FILE|_PATH|_NAME)$", re.IGNORECASE)
_TIME: Final = r"^(\d+-)?\d+(:\d\d){0,2}$"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"must be printable, but got {text!r}")
    return text


def _word(text: str) -> str:
    if not re.fullmatch(r"[^\s\"'\\#$`;<>-][^\s\"'\\#$`;<>]*", _printable(text)):
        raise ValueError(f"must be one word without quotes, and not begin with a dash, but got {text!r}")
    return text


def _time_text(value: object) -> object:
    # TOML reads a bare 12:00:00 as a time of the day.
    return value.isoformat("seconds") if isinstance(value, dt.time) else value


def _dns_label(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError(f"must be a name of Kubernetes: a to z, digits and dashes, but got {text!r}")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_printable)]
"""Printable text on one line; it is quoted in every file."""
Word = Annotated[str, AfterValidator(_word)]
"""One word of a scheduler's own language, e.g. the name of a partition."""
DnsLabel = Annotated[str, AfterValidator(_dns_label)]
Variables = dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], Annotated[str, AfterValidator(_printable)]]


def check_no_secrets(variables: Mapping[str, str]) -> None:
    """Check that no variable looks like a secret, since launch files are not secret.

    Raises:
        ValueError: if one does; names it.
    """
    for name in variables:
        if _SECRET_NAME.search(name) and not _NAMES_A_PLACE.search(name):
            raise ValueError(
                f"must hold no secret, but {name} looks like one: put it in a file that only you can read, "
                "and set search.password_file or kuberay.password_secret"
            )


class SearchSettings(FrozenModel):
    """The sweep: what ``autohier search`` runs on the machines."""

    space: Annotated[Text, Field(examples=["ntu60"])]
    """Shipped search space or path of a TOML file."""
    name: Annotated[str, Field(examples=["ntu60-a"])]
    """Name of the sweep; the job continues the sweep of this name if it exists."""
    trials: PositiveInt = 32
    """Number of trials in the sweep."""
    data: Text = "data"
    """Folder of the prepared datasets, on storage that all machines share."""
    out: Text = "sweeps"
    """Folder of the sweeps and of their stage store, on storage that all machines share."""
    storage: Text | None = None
    """Optuna storage URL without its password; None keeps the study in the sweep's journal file."""
    password_file: Text | None = None
    """File with the password of the storage, which only you can read and all machines see."""
    options: tuple[Text, ...] = ()
    """Further options of ``autohier search``, e.g. ["--sampler", "gp"]."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        return check_plain_name(name, marks=SWEEP_NAME_MARKS)

    @field_validator("storage")
    @classmethod
    def _check_storage(cls, storage: str | None) -> str | None:
        if storage is not None and has_password(storage):
            raise ValueError(f"must hold no password: {HOW_TO_PASS}")
        return storage


class MachineSettings(FrozenModel):
    """The machines of the sweep, all of one size."""

    nodes: Annotated[PositiveInt, Field(le=10_000)] = 1
    """Number of machines that train."""
    cpus: Annotated[PositiveInt, Field(le=10_000)] = 8
    """Cores of each machine."""
    gpus: Annotated[NonNegativeInt, Field(le=1000)] = 0
    """GPUs of each machine."""
    memory_gb: PositiveInt | None = None
    """Memory of each machine in GB; None leaves it to the site (Slurm) or takes 4 GB a core (KubeRay)."""
    local_clips: Annotated[str, Field(pattern=r"^[/$][\w./${}-]*$")] | None = None
    """Folder on each machine's own disk, to which the clips are copied once, e.g. "/scratch" or, in a job of
    Slurm, "$TMPDIR/clips". None reads them from the shared storage."""


class SlurmSettings(FrozenModel):
    """Settings of a Slurm job."""

    partition: Word | None = None
    """Partition; None takes the site's default, as for the account, QOS and constraint."""
    account: Word | None = None
    """Account that is charged."""
    qos: Word | None = None
    """Quality of service."""
    constraint: Word | None = None
    """Features that the machines must have, e.g. "a100"."""
    gpu_type: Word | None = None
    """Type of GPU by the site's name, e.g. "a100"; None takes any."""
    time: Annotated[str, Field(pattern=_TIME), BeforeValidator(_time_text)] = "24:00:00"
    """Time limit of one run of the job, e.g. "12:00:00" or "2-00:00:00"."""
    notice_s: Annotated[PositiveInt, Field(ge=60, le=65_535)] = 300
    """Seconds before the time limit at which the sweep stops and the job is queued again."""
    max_requeues: NonNegativeInt = 50
    """Number of times that the job is queued again, e.g. at its time limit."""
    wait_minutes: PositiveInt = 10
    """Minutes that the job waits for Ray to start on all of its machines."""
    min_nodes: PositiveInt = 1
    """Number of machines without which the sweep does not start once the wait is over."""
    interface: Word | None = None
    """Network interface between the machines, e.g. "ib0"; None takes the address of the machine's name."""
    modules: tuple[Text, ...] = ()
    """Environment modules to load first, e.g. ["cuda/12.4"]."""
    environment: Text | None = None
    """Folder of the Python environment with autohier; None takes the one that writes the file."""
    setup_script: Text | None = None
    """Shell script that the job sources before it starts, e.g. to set up a site's software."""
    sbatch_options: tuple[Annotated[str, Field(pattern=r"^--[a-z][a-z-]*(=[^\s\"'\\#]+)?$")], ...] = ()
    """Further options of ``sbatch``, e.g. ["--exclusive", "--mail-type=END"]."""


class KubeRaySettings(FrozenModel):
    """Settings of a RayJob or RayCluster in Kubernetes, which the KubeRay operator runs."""

    kind: Literal["job", "cluster"] = "job"
    """A job that runs the sweep and ends, or a cluster that stays."""
    image: Annotated[Text | None, Field(examples=["autohier:latest"])] = None
    """Image with autohier and the same Ray as here; required."""
    namespace: DnsLabel | None = None
    """Namespace; None takes that of kubectl's context."""
    labels: dict[Text, Text] = Field(default_factory=dict)
    """Labels of the job and its pods, e.g. the queue of Kueue."""
    volume_claim: DnsLabel = "autohier"
    """Claim of the volume that all pods mount; it must allow writing from many machines."""
    mount: Annotated[Text, Field(pattern="^/")] = "/shared"
    """Folder at which the volume is mounted; relative folders of the sweep lie below it."""
    fs_group: NonNegativeInt | None = 100
    """Group that may write to the volume; that of Ray's images by default."""
    password_secret: DnsLabel | None = None
    """Secret whose key ``password`` holds the password of the storage."""
    min_nodes: PositiveInt | None = None
    """Machines that the sweep starts with, by which it counts its parallel trials; the autoscaler adds up to
    machines.nodes. None starts all at once, without the autoscaler."""
    head_cpus: PositiveInt = 2
    """Cores of the head, which runs the driver and no trial."""
    head_memory_gb: PositiveInt = 8
    """Memory of the head in GB."""
    gpu_resource: Word = "nvidia.com/gpu"
    """Name of the GPUs among the resources of Kubernetes."""
    node_selector: dict[Text, Text] = Field(default_factory=dict)
    """Labels that the machines must have."""
    tolerations: tuple[Text, ...] = ()
    """Keys of the taints that the pods tolerate, e.g. ["nvidia.com/gpu"]."""
    max_retries: NonNegativeInt = 10
    """Number of times that a job that failed starts again, on a new Ray."""
    keep_s: NonNegativeInt = 3600
    """Seconds that the pods of a finished job stay, e.g. for their logs."""


class RayClusterSettings(FrozenModel):
    """A cluster of Ray's own cluster launcher, on machines with ssh or in a cloud."""

    provider: Literal["local", "aws", "gcp"] = "local"
    """Own machines with ssh, or a cloud."""
    head: Text | None = None
    """Own machines: address of the first one, which also runs the driver."""
    workers: tuple[Text, ...] = ()
    """Own machines: addresses of all others."""
    ssh_user: Word = "ubuntu"
    """User on the machines."""
    ssh_key: Text | None = None
    """Private key; None takes those of ssh, or one that Ray makes in the cloud."""
    region: Word | None = None
    """Cloud: region, e.g. "us-east-1"."""
    zone: Word | None = None
    """Cloud: zone in the region, e.g. "us-east-1a"."""
    project: Word | None = None
    """Google Cloud: project."""
    head_type: Word | None = None
    """Cloud: type of the machine that runs the driver and no trial, e.g. "m6i.xlarge"."""
    worker_type: Word | None = None
    """Cloud: type of the machines that train, with machines.cpus and machines.gpus."""
    image: Text | None = None
    """Cloud: system image; None takes Ray's choice."""
    spot: bool = True
    """Cloud: take cheaper machines that the cloud may take back."""
    min_nodes: NonNegativeInt | None = None
    """Cloud: machines that the sweep starts with, by which it counts its parallel trials; None is all."""
    nfs: Text | None = None
    """Shared storage that all machines mount first, e.g. "fs-1.efs.us-east-1.amazonaws.com:/"."""
    mount: Annotated[Text, Field(pattern="^/")] = "/shared"
    """Folder of the shared storage; relative folders of the sweep lie below it."""
    environment: Text | None = None
    """Folder of the Python environment on the machines; None installs autohier with pip."""
    package: Text | None = None
    """What pip installs, e.g. a wheel on the shared storage or a URL; None is this version by its name."""


class LaunchSettings(FrozenModel):
    """Content of a settings file of ``autohier launch``."""

    search: SearchSettings
    """The sweep."""
    machines: MachineSettings = MachineSettings()
    """The machines, all of one size."""
    environment: Variables = Field(default_factory=dict)
    """Environment variables of all processes; no secrets."""
    slurm: SlurmSettings = SlurmSettings()
    """The job of Slurm."""
    kuberay: KubeRaySettings = KubeRaySettings()
    """The job or cluster of KubeRay."""
    ray: RayClusterSettings = RayClusterSettings()
    """The cluster of Ray's own launcher."""

    @field_validator("environment")
    @classmethod
    def _check_environment(cls, environment: dict[str, str]) -> dict[str, str]:
        check_no_secrets(environment)
        return environment


_EXAMPLES: Final = {"space": "ntu60", "name": "ntu60-a"}


def load_launch_settings(
    path: Path | None, changes: Mapping[str, object], overrides: Sequence[str]
) -> LaunchSettings:
    """Load a settings file and apply what the command line changes.

    Args:
        path: the TOML file; None starts from the defaults.
        changes: values of options by their dotted keys; None leaves a setting as it is.
        overrides: ``key=value`` texts; keys are dotted, values are TOML (a bare word is a string).

    Raises:
        InputError: if the file is not TOML, or a setting is unknown, missing or invalid.
    """
    values = {} if path is None else _read(path)
    for key, value in changes.items():
        if value is not None:
            set_value(values, key, value)
    for override in overrides:
        apply_override(values, override)
    _check_named(values)
    return validate(LaunchSettings, values, origin="launch" if path is None else str(path))


def _check_named(values: Mapping[str, object]) -> None:
    """Raise an InputError unless the settings name a search space and a sweep, which have no default."""
    search = values.get("search", {})
    missing = [name for name in ("space", "name") if isinstance(search, Mapping) and name not in search]
    if missing:
        options = " ".join(f"--{name} {_EXAMPLES[name]}" for name in missing)
        raise InputError(
            f"a launch needs search.{' and search.'.join(missing)}",
            hint=f"add {options}, or write it into the table [search] of a settings file",
        )


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise InputError(
            "the settings file must exist", got=path.absolute(), hint="correct the path, or leave it out"
        )
    return parse_toml(path.read_bytes(), str(path), hint='write e.g. search.space = "ntu60"')
