"""A cluster of Ray's own cluster launcher, on machines with ssh or in a cloud, and the sweep on it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any, Final

from autohier.config.launch import LaunchSettings, RayClusterSettings
from autohier.errors import InputError
from autohier.launch.filling import Verbatim, fill, quote_for_shell, quote_for_yaml, read_template, shell_list
from autohier.launch.launch_file import PATH, PATH_OF_SECRET, LaunchFile, SecretFile
from autohier.launch.local_clips import local_clips_variable
from autohier.launch.search_command import search_command
from autohier.text import shell_words
from autohier.version import __version__

_PORT: Final = 6379
_RAY: Final = version("ray")
_TOKEN: Final = "~/.autohier-ray-token"  # noqa: S105  a path
_ADDRESS: Final = f"127.0.0.1:{_PORT}"
_WAIT_MINUTES: Final = 30
_DISK_GB: Final = 100
_GCP_IMAGE: Final = "projects/deeplearning-platform-release/global/images/family/common-cpu"
_NEEDED: Final = {
    "local": ("head",),
    "aws": ("region", "head_type", "worker_type"),
    "gcp": ("region", "zone", "project", "head_type", "worker_type"),
}
"""Settings that a provider needs."""


def ray_cluster(settings: LaunchSettings) -> LaunchFile:
    """Return the YAML of a cluster, and the commands that start it and the sweep on its head.

    Raises:
        InputError: if a setting that the provider needs is missing.
    """
    ray, search = settings.ray, settings.search
    missing = [name for name in _NEEDED[ray.provider] if getattr(ray, name) is None]
    if missing:
        raise InputError(
            f"ray.{missing[0]} must be given for the provider {ray.provider!r}",
            hint=f"add --set ray.{missing[0]}=VALUE, see the docs",
        )
    token = SecretFile(f"{search.name}.ray-token", secrets.token_hex(32))
    commands = (("ray", "up", "--yes", PATH), ("ray", "exec", PATH, sweep_on_head(settings)))
    is_local = ray.provider == "local"
    values: dict[str, object] = {
        "sweep": Verbatim(search.name),
        "comment": Verbatim("\n".join(f"#   {_text(command)}" for command in commands)),
        "name": re.sub(r"[^a-z0-9]+", "-", search.name.lower()).strip("-"),
        "max_workers": len(ray.workers) if is_local else settings.machines.nodes,
        "provider": _provider(ray),
        "auth": {"ssh_user": ray.ssh_user, **({"ssh_private_key": ray.ssh_key} if ray.ssh_key else {})},
        "node_types": Verbatim("" if is_local else _node_types(settings)),
        "file_mounts": {_TOKEN: PATH_OF_SECRET},
        "setup": _setup_commands(ray),
        "stop": f"{_path_line(ray)}ray stop",
        "start_head": f"{_start_line(settings)} --head --port={_PORT} --include-dashboard=false "
        "--autoscaling-config=~/ray_bootstrap_config.yaml",
        "start_worker": f'{_start_line(settings)} --address="$RAY_HEAD_IP:{_PORT}"',
    }
    content = fill(read_template("ray/cluster.yaml"), values, quote=quote_for_yaml)
    return LaunchFile(
        f"{search.name}.ray.yaml", content, commands, 'pip install "ray[default]"', secret=token
    )


def _text(command: tuple[str, ...]) -> str:
    return shell_words(*("FILE" if word == PATH else word for word in command))


def sweep_on_head(settings: LaunchSettings) -> str:
    """Return the shell command that runs the sweep on the head, in the background."""
    ray, search = settings.ray, settings.search
    mount = PurePosixPath(ray.mount)
    out = mount / search.out
    space = str(mount / search.space) if search.space.endswith(".toml") else search.space
    words = search_command(search, space=space, data=str(mount / search.data), out=str(out))
    wait = [
        "autohier",
        "launch",
        "wait",
        "--ray-address",
        _ADDRESS,
        "--minutes",
        _WAIT_MINUTES,
        *_awaited(settings),
    ]
    log = quote_for_shell(out / f"{search.name}.log")
    steps = f"{shell_list(wait)} && exec {shell_list([*words, '--ray-address', _ADDRESS])}"
    return (
        f"mkdir -p {quote_for_shell(out)} && {_environment_line(settings)}"
        f"(setsid nohup bash -c {quote_for_shell(steps)} >>{log} 2>&1 </dev/null &) && echo its log is {log}"
    )


def _awaited(settings: LaunchSettings) -> list[object]:
    ray = settings.ray
    if ray.provider == "local":
        return ["--machines", ",".join([ray.head or "", *ray.workers])]
    return ["--at-least", max(1, _min_nodes(settings))]


def _min_nodes(settings: LaunchSettings) -> int:
    nodes, least = settings.machines.nodes, settings.ray.min_nodes
    return nodes if least is None else min(least, nodes)


def _provider(ray: RayClusterSettings) -> dict[str, object]:
    if ray.provider == "local":
        return {"type": "local", "head_ip": ray.head, "worker_ips": list(ray.workers)}
    names = {"region": "region", "zone": "availability_zone", "project": "project_id"}
    given = {key: getattr(ray, name) for name, key in names.items() if getattr(ray, name) is not None}
    return {"type": ray.provider, **given}


def _node_types(settings: LaunchSettings) -> str:
    ray, machines = settings.ray, settings.machines
    least = _min_nodes(settings)
    head = {"resources": {"CPU": 0}, "node_config": _node_config(ray, ray.head_type, spot=False)}
    worker = {
        "min_workers": least,
        "max_workers": machines.nodes,
        "resources": {"CPU": machines.cpus, **({"GPU": machines.gpus} if machines.gpus else {})},
        "node_config": _node_config(ray, ray.worker_type, spot=ray.spot),
    }
    return "\n".join(
        [
            "available_node_types:",
            f"  head: {quote_for_yaml(head)}",
            f"  worker: {quote_for_yaml(worker)}",
            "head_node_type: head # runs the driver and no trial",
        ]
    )


def _node_config(ray: RayClusterSettings, kind: str | None, *, spot: bool) -> Mapping[str, Any]:
    if ray.provider == "aws":
        config: dict[str, Any] = {"InstanceType": kind}
        if ray.image is not None:
            config["ImageId"] = ray.image
        config["BlockDeviceMappings"] = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": _DISK_GB}}]
        return config | ({"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {})
    disk = {"diskSizeGb": _DISK_GB, "sourceImage": ray.image or _GCP_IMAGE}
    scheduling = [{"onHostMaintenance": "TERMINATE"}, *([{"preemptible": True}] if spot else [])]
    return {
        "machineType": kind,
        "disks": [{"boot": True, "autoDelete": True, "type": "PERSISTENT", "initializeParams": disk}],
        "scheduling": scheduling,
    }


def _setup_commands(ray: RayClusterSettings) -> list[str]:
    commands = []
    if ray.nfs is not None:
        folder = quote_for_shell(ray.mount)
        commands.append(
            f"mountpoint -q {folder} || (sudo mkdir -p {folder} && "
            f"sudo mount -t nfs4 -o nfsvers=4.1,hard {quote_for_shell(ray.nfs)} {folder})"
        )
    if ray.environment is None:
        package = ray.package or f"autohier=={__version__}"
        commands.append(f"pip install {shell_list([package, f'ray[default]=={_RAY}'])}")
    return commands


def _path_line(ray: RayClusterSettings) -> str:
    return (
        ""
        if ray.environment is None
        else f'export PATH={quote_for_shell(PurePosixPath(ray.environment) / "bin")}:"$PATH"; '
    )


def _environment_line(settings: LaunchSettings) -> str:
    """Return what every process of the cluster needs: its path, the token and the variables."""
    variables = {"OMP_WAIT_POLICY": "PASSIVE", "RAY_USAGE_STATS_ENABLED": "0"}
    variables |= local_clips_variable(settings.machines) | settings.environment
    if settings.search.password_file is not None:
        variables["AUTOHIER_STORAGE_PASSWORD_FILE"] = settings.search.password_file
    exports = " ".join(f"{key}={quote_for_shell(value)}" for key, value in variables.items())
    return f"{_path_line(settings.ray)}export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={_TOKEN} {exports}; "


def _start_line(settings: LaunchSettings) -> str:
    return f"{_environment_line(settings)}ulimit -n 65536; ray start --disable-usage-stats"
