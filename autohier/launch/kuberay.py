"""A RayJob or RayCluster of Kubernetes that runs a sweep, for the KubeRay operator."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import PurePosixPath
from textwrap import indent
from typing import Final

from autohier.config.launch import LaunchSettings
from autohier.config.storage_url import PASSWORD_VARIABLE
from autohier.errors import InputError
from autohier.launch.filling import Verbatim, fill, quote_for_yaml, read_template
from autohier.launch.launch_file import PATH, LaunchFile
from autohier.launch.local_clips import local_clips_variable
from autohier.launch.search_command import search_command
from autohier.text import shell_words

_MAX_NAME_CHARS: Final = 47
"""Longest name of a RayJob, to which KubeRay appends its own endings."""
_PLAIN_WORD: Final = re.compile(r"[\w@%+=:,./\[\]-]+", re.ASCII)
_GB_PER_CORE: Final = 4
_SHM: Final = "2Gi"


def kuberay_manifest(settings: LaunchSettings) -> LaunchFile:
    """Return the manifest of a RayJob, or of a RayCluster.

    Raises:
        InputError: if the image is missing, or the name or the command cannot be written into a manifest.
    """
    kuberay = settings.kuberay
    if kuberay.image is None:
        raise InputError(
            "kuberay.image must be given", hint='add e.g. --set kuberay.image="autohier:latest", see the docs'
        )
    command = _command(settings)
    values: dict[str, object] = {
        "sweep": Verbatim(settings.search.name),
        "name": kubernetes_name(settings.search.name),
        "namespace": Verbatim(f"namespace: {quote_for_yaml(kuberay.namespace)}" if kuberay.namespace else ""),
        "labels": kuberay.labels,
        "entrypoint": " ".join(command),
        "entrypoint_text": Verbatim(shell_words(*command)),
        "max_retries": kuberay.max_retries,
        "keep_s": kuberay.keep_s,
    }
    cluster = fill(read_template("kuberay/cluster.yaml"), _cluster_values(settings), quote=quote_for_yaml)
    depth = 4 if kuberay.kind == "job" else 2
    values["cluster"] = Verbatim(indent(cluster.rstrip("\n"), " " * depth))
    content = fill(read_template(f"kuberay/ray{kuberay.kind}.yaml"), values, quote=quote_for_yaml)
    return LaunchFile(
        f"{settings.search.name}.ray{kuberay.kind}.yaml",
        content,
        (("kubectl", "apply", "-f", PATH),),
        "install kubectl, and choose the cluster as its context",
    )


def kubernetes_name(name: str) -> str:
    """Return the name of a sweep as a name of Kubernetes.

    Raises:
        InputError: if it is too long.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if len(plain) > _MAX_NAME_CHARS:
        raise InputError(
            f"the name of a sweep must have at most {_MAX_NAME_CHARS} characters under KubeRay",
            got=name,
            hint="choose a shorter --name",
        )
    return plain


def _command(settings: LaunchSettings) -> list[str]:
    """Return the words of the search, none of which a shell would change.

    KubeRay and Ray pass the entrypoint through several shells, so that no quoting is safe.
    """
    search, mount = settings.search, PurePosixPath(settings.kuberay.mount)
    space = str(mount / search.space) if search.space.endswith(".toml") else search.space
    command = search_command(search, space=space, data=str(mount / search.data), out=str(mount / search.out))
    command += ["--ray-address", "auto"]
    unsafe = [word for word in command if not _PLAIN_WORD.fullmatch(word)]
    if unsafe:
        raise InputError(
            "words of the search must hold no spaces, quotes or signs of a shell under KubeRay",
            got=", ".join(unsafe),
            hint="write settings into a TOML file on the volume, and name it as search.space",
        )
    return command


def _cluster_values(settings: LaunchSettings) -> dict[str, object]:
    machines, kuberay = settings.machines, settings.kuberay
    worker = _resources(machines.cpus, machines.memory_gb or _GB_PER_CORE * machines.cpus)
    if machines.gpus:
        worker[kuberay.gpu_resource] = str(machines.gpus)
    return {
        "ray_version": version("ray"),
        "autoscales": kuberay.min_nodes is not None,
        "labels": kuberay.labels,
        "node_selector": kuberay.node_selector,
        "tolerations": [{"key": key, "operator": "Exists"} for key in kuberay.tolerations],
        "security_context": {} if kuberay.fs_group is None else {"fsGroup": kuberay.fs_group},
        "image": kuberay.image,
        "env": _environment(settings),
        "head_resources": _resources(kuberay.head_cpus, kuberay.head_memory_gb),
        "worker_resources": worker,
        "volume_mounts": [
            {"name": "shared", "mountPath": kuberay.mount},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  of the pod
            *([{"name": "clips", "mountPath": machines.local_clips}] if machines.local_clips else []),
        ],
        "volumes": [
            {"name": "shared", "persistentVolumeClaim": {"claimName": kuberay.volume_claim}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": _SHM}},
            *([{"name": "clips", "emptyDir": {}}] if machines.local_clips else []),
        ],
        "replicas": min(kuberay.min_nodes or machines.nodes, machines.nodes),
        "nodes": machines.nodes,
    }


def _resources(cpus: int, memory_gb: int) -> dict[str, str]:
    return {"cpu": str(cpus), "memory": f"{memory_gb}Gi"}


def _environment(settings: LaunchSettings) -> list[dict[str, object]]:
    fixed = {
        "OMP_WAIT_POLICY": "PASSIVE",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_metrics_collection": "0",
    }
    variables = fixed | local_clips_variable(settings.machines) | settings.environment
    found: list[dict[str, object]] = [{"name": key, "value": value} for key, value in variables.items()]
    if settings.kuberay.password_secret is not None:
        source = {"name": settings.kuberay.password_secret, "key": "password"}
        found.append({"name": PASSWORD_VARIABLE, "valueFrom": {"secretKeyRef": source}})
    return found
