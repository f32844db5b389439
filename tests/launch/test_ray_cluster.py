"""The YAML of Ray's cluster launcher, its form by Ray's own schema, and the shell commands in it."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from autohier.config.launch import LaunchSettings
from autohier.errors import InputError
from autohier.launch.launch_file import write
from autohier.launch.ray_cluster import ray_cluster, sweep_on_head
from autohier.version import __version__
from support.waiting import wait_until

NASTY = 'it\'s "x" $(touch pwned) `touch pwned`; touch pwned & $HOME'
LOCAL: dict[str, Any] = {"head": "10.0.0.1", "workers": ["10.0.0.2", "n3"], "ssh_key": "~/.ssh/id"}
AWS: dict[str, Any] = {
    "provider": "aws",
    "region": "us-east-1",
    "head_type": "m6i.xlarge",
    "worker_type": "g5.12xlarge",
    "nfs": "fs-1.example:/",
    "min_nodes": 1,
}
GCP: dict[str, Any] = {
    **AWS,
    "provider": "gcp",
    "zone": "us-east1-b",
    "project": "vision",
    "image": "my-image",
}


def settings(ray: dict[str, Any], **tables: Any) -> LaunchSettings:
    values = {
        "search": {"space": "ntu60", "name": "NTU.a", **tables.get("search", {})},
        "machines": {"nodes": 3, "cpus": 48, "gpus": 4, **tables.get("machines", {})},
        "environment": tables.get("environment", {}),
        "ray": ray,
    }
    return LaunchSettings.model_validate(values)


def cluster(ray: dict[str, Any], **tables: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(ray_cluster(settings(ray, **tables)).content)
    return loaded


@pytest.mark.parametrize("ray", [LOCAL, AWS, GCP, {**LOCAL, "environment": "/opt/it's"}])
def test_file_has_the_form_that_ray_checks(ray: dict[str, Any]) -> None:
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "autoscaler/ray-schema.json").read_text())
    document = cluster(ray, environment={"NOTE": NASTY})
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document)] == []
    document["head_start_commands"] = document.pop("head_start_ray_commands")
    assert list(jsonschema.Draft7Validator(schema).iter_errors(document))


def test_own_machines_are_listed_and_all_train() -> None:
    document = cluster(LOCAL)
    assert document["provider"] == {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2", "n3"]}
    assert document["auth"] == {"ssh_user": "ubuntu", "ssh_private_key": "~/.ssh/id"}
    assert document["max_workers"] == 2
    assert "available_node_types" not in document
    assert "--machines 10.0.0.1,10.0.0.2,n3" in sweep_on_head(settings(LOCAL))


@pytest.mark.parametrize(("spot", "market"), [(True, {"MarketType": "spot"}), (False, None)])
def test_machines_of_a_cloud_have_their_sizes(spot: bool, market: dict[str, str] | None) -> None:
    document = cluster({**AWS, "spot": spot})
    types = document["available_node_types"]
    assert document["head_node_type"] == "head"
    assert types["head"]["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    worker = types["worker"]
    assert (worker["min_workers"], worker["max_workers"]) == (1, 3)
    assert worker["resources"] == {"CPU": 48, "GPU": 4}
    assert worker["node_config"].get("InstanceMarketOptions") == market
    assert document["setup_commands"][0].startswith("mountpoint -q /shared || ")
    assert "--at-least 1 " in sweep_on_head(settings(AWS))


def test_token_is_a_file_of_its_own_that_only_the_user_can_read(tmp_path: Path) -> None:
    file = ray_cluster(settings(LOCAL))
    path = write(file, tmp_path / 'a "b"', overwrite=False)
    token = path.parent / "NTU.a.ray-token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text()) == 64
    assert token.read_text() not in path.read_text()
    document = yaml.safe_load(path.read_text())
    assert document["file_mounts"] == {"~/.autohier-ray-token": str(token)}
    starts = [document["head_start_ray_commands"][1], document["worker_start_ray_commands"][1]]
    assert all("RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.autohier-ray-token" in start for start in starts)
    before = token.read_text()
    write(ray_cluster(settings(LOCAL)), path.parent, overwrite=False)
    assert token.read_text() == before


def test_commands_start_the_cluster_and_then_the_sweep() -> None:
    up, run = ray_cluster(settings(LOCAL)).commands_for(Path("a.yaml"))
    assert up == ["ray", "up", "--yes", "a.yaml"]
    assert run[:3] == ["ray", "exec", "a.yaml"]


def test_nasty_names_are_words_and_never_code(tmp_path: Path) -> None:
    programs, out = tmp_path / "bin", tmp_path / NASTY / "out"
    programs.mkdir()
    log = programs / "calls"
    (programs / "autohier").write_text(f'#!/bin/sh\nprintf \'%s\\n\' "$NOTE" "$@" >>{log}\n')
    (programs / "autohier").chmod(0o755)
    given = settings(
        {**LOCAL, "mount": str(tmp_path / NASTY), "environment": str(tmp_path)},
        search={"out": "out", "data": "data", "options": ["--set", f"description={NASTY}"]},
        environment={"NOTE": NASTY},
    )
    ended = subprocess.run(
        ["bash", "-c", sweep_on_head(given)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"its log is {out}/NTU.a.log\n"
    wait_until(
        lambda: log.exists() and "127.0.0.1:6379" in log.read_text().partition("\nsearch\n")[2], "it runs"
    )
    lines = log.read_text().splitlines()
    wait, search = lines[: lines.index("search") - 1], lines[lines.index("search") - 1 :]
    assert wait[:3] == [NASTY, "launch", "wait"]
    assert search[0] == NASTY
    assert search[search.index("--out") + 1] == str(out)
    assert search[search.index("--set") + 1] == f"description={NASTY}"
    assert list(tmp_path.rglob("pwned")) == []


def test_start_commands_are_read_by_a_shell_as_they_are_meant(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ray").write_text('#!/bin/sh\nprintf "%s\\n" "$NOTE" "$@"\n')
    (tmp_path / "bin/ray").chmod(0o755)
    document = cluster(
        {**LOCAL, "environment": str(tmp_path)},
        environment={"NOTE": NASTY},
        machines={"local_clips": "/scratch"},
    )
    assert "AUTOHIER_LOCAL_CLIPS=/scratch " in document["worker_start_ray_commands"][1]
    _, start = document["worker_start_ray_commands"]
    ended = subprocess.run(
        ["bash", "-c", start.replace("ulimit -n 65536;", "")],
        env={**os.environ, "RAY_HEAD_IP": "10.0.0.1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == [NASTY, "start", "--disable-usage-stats", "--address=10.0.0.1:6379"]
    assert list(tmp_path.glob("pwned")) == []


def test_address_of_shared_storage_is_one_word() -> None:
    mount = cluster({**AWS, "nfs": NASTY, "mount": "/a b"})["setup_commands"][0]
    assert NASTY in shlex.split(mount.rpartition("sudo mount")[2].rstrip(")"))


@pytest.mark.parametrize(
    ("ray", "message"),
    [
        ({}, "ray.head must be given for the provider 'local'"),
        ({"provider": "aws", "head_type": "x"}, "ray.region must be given for the provider 'aws'"),
        ({**GCP, "project": None}, "ray.project must be given for the provider 'gcp'"),
    ],
)
def test_missing_settings_of_a_provider_are_named(ray: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ray_cluster(settings(ray))


def test_machines_install_this_version_or_a_given_package() -> None:
    assert f"autohier=={__version__}" in cluster(LOCAL)["setup_commands"][-1]
    given = cluster({**LOCAL, "package": "/shared/autohier 1.whl"})["setup_commands"][-1]
    assert given.startswith("pip install '/shared/autohier 1.whl' ")
