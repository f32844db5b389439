"""Commands of launch files, run verbatim on the head of a Ray of virtual machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from autohier.config.launch import LaunchSettings
from autohier.launch.kuberay import kuberay_manifest
from autohier.launch.ray_cluster import sweep_on_head
from support.cluster.ray_cluster import VirtualCluster
from support.sources.tiny_clips import SPACE_FILE
from support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow


def settings(**tables: Any) -> LaunchSettings:
    search = {"space": str(SPACE_FILE), "name": "a", "trials": 2, "options": ["--confirm", "none"]}
    return LaunchSettings.model_validate({"search": search, **tables})


def with_programs(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_entrypoint_of_a_rayjob_runs_in_the_environment_of_its_head(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    kuberay = {"image": "autohier:latest", "mount": str(shared)}
    job = yaml.safe_load(kuberay_manifest(settings(kuberay=kuberay)).content)["spec"]
    (container,) = job["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    cluster = open_machines("n1")
    process = cluster.head.start(
        ["sh", "-c", job["entrypoint"]],
        environment=with_programs({**cluster.environment, **environment}),
        folder=shared,
    )
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + err
    assert "Result: " in out
    assert (shared / "sweeps/a/sweep.json").is_file()


def test_command_of_the_cluster_launcher_waits_for_machines_and_runs_the_sweep(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("n1")
    addresses = {"head": cluster.head.address, "workers": [cluster.network.machines["n1"].address]}
    variables = {name: value for name, value in cluster.environment.items() if name.startswith("RAY_health")}
    command = sweep_on_head(
        settings(
            ray={**addresses, "mount": str(shared), "environment": str(Path(sys.prefix))},
            environment={**variables, "PYTHONPATH": cluster.environment["PYTHONPATH"]},
        )
    )
    home = shared / "home"
    home.mkdir()
    (home / ".autohier-ray-token").symlink_to(cluster.environment["RAY_AUTH_TOKEN_PATH"])
    process = cluster.head.start(
        ["bash", "-c", command], environment=with_programs({"HOME": str(home)}), folder=home
    )
    out, err = process.communicate(timeout=PATIENCE_S)
    log = shared / "sweeps/a.log"
    assert (process.returncode, out) == (0, f"its log is {log}\n"), err
    wait_until(lambda: "Result: " in log.read_text(), "the sweep ends", pause_s=0.5)
    assert log.read_text().startswith("2 of 2 machines have joined: ")
