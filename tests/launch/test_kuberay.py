"""Manifests of KubeRay: their content, and their form by KubeRay's own schemas."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from autohier.config.launch import LaunchSettings
from autohier.errors import InputError
from autohier.launch.kuberay import kuberay_manifest, kubernetes_name

FULL: dict[str, dict[str, Any]] = {
    "search": {"space": "ntu60", "name": "NTU.a_1", "storage": "postgresql://me@db/studies", "data": "/data"},
    "machines": {"nodes": 3, "gpus": 4, "cpus": 16, "memory_gb": 96},
    "environment": {"NOTE": 'it\'s "quoted": {yes} # no\\comment é'},
    "kuberay": {
        "image": "autohier:latest",
        "namespace": "vision",
        "min_nodes": 1,
        "password_secret": "studies",
        "labels": {"kueue.x-k8s.io/queue-name": "gpus"},
        "node_selector": {"gpu": "h200"},
        "tolerations": ["nvidia.com/gpu"],
    },
}
SMALL: dict[str, dict[str, Any]] = {
    "search": {"space": "demo", "name": "a"},
    "kuberay": {"image": "autohier:latest", "fs_group": None},
}


def manifest(values: dict[str, Any], **kuberay: object) -> dict[str, Any]:
    changed = {**values, "kuberay": {**values["kuberay"], **kuberay}}
    content = kuberay_manifest(LaunchSettings.model_validate(changed)).content
    loaded: dict[str, Any] = yaml.safe_load(content)
    return loaded


def closed(schema: Any) -> Any:
    """Return a schema that refuses unknown keys, which the server of Kubernetes would drop silently."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if isinstance(inner.get("properties"), dict) and not is_open:
        inner.setdefault("additionalProperties", False)
    if inner.pop("x-kubernetes-int-or-string", False):
        inner.pop("type", None)
    return inner


@cache
def read_crd(crd_file: str) -> dict[str, Any]:
    """Return a definition of tens of thousands of lines, with the loader in C if there is one."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (Path(os.environ["AUTOHIER_DATA"]) / "kuberay" / crd_file).read_text()
    found: dict[str, Any] = yaml.load(text, loader)  # noqa: S506  it is safe
    return found


def faults(document: dict[str, Any], crd_file: str) -> list[str]:
    crd = read_crd(crd_file)
    (version,) = [
        each for each in crd["spec"]["versions"] if document["apiVersion"] == f"ray.io/{each['name']}"
    ]
    assert document["kind"] == crd["spec"]["names"]["kind"]
    assert version["served"]
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    errors = jsonschema.Draft7Validator(schema).iter_errors(document)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


real_schemas = [
    pytest.mark.realdata,
    pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set"),
]


class TestSchemas:
    pytestmark = real_schemas

    @pytest.mark.parametrize("values", [FULL, SMALL])
    def test_job_has_the_form_of_a_rayjob(self, values: dict[str, Any]) -> None:
        assert faults(manifest(values), "ray.io_rayjobs.yaml") == []

    @pytest.mark.parametrize("values", [FULL, SMALL])
    def test_cluster_has_the_form_of_a_raycluster(self, values: dict[str, Any]) -> None:
        assert faults(manifest(values, kind="cluster"), "ray.io_rayclusters.yaml") == []

    def test_misspelt_key_is_a_fault(self) -> None:
        document = manifest(SMALL)
        document["spec"]["entrypiont"] = document["spec"].pop("entrypoint")
        (fault,) = faults(document, "ray.io_rayjobs.yaml")
        assert "'entrypiont' was unexpected" in fault


def test_entrypoint_is_the_search_on_the_volume() -> None:
    job = manifest(FULL)["spec"]
    assert job["entrypoint"] == (
        "autohier search ntu60 --trials 32 --name NTU.a_1 --resume-if-exists --data /data "
        "--out /shared/sweeps --storage postgresql://me@db/studies --ray-address auto"
    )
    assert job["backoffLimit"] == 10
    assert job["shutdownAfterJobFinishes"] is True


def test_pods_have_their_share_the_volume_and_the_secret() -> None:
    document = manifest(FULL)
    assert document["metadata"]["name"] == "ntu-a-1"
    assert document["metadata"]["namespace"] == "vision"
    cluster = document["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    (group,) = cluster["workerGroupSpecs"]
    worker = group["template"]["spec"]["containers"][0]
    sizes = {"cpu": "16", "memory": "96Gi", "nvidia.com/gpu": "4"}
    assert worker["resources"] == {"requests": sizes, "limits": sizes}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for container in (head, worker):
        assert {"name": "shared", "mountPath": "/shared"} in container["volumeMounts"]
        assert {"name": "NOTE", "value": FULL["environment"]["NOTE"]} in container["env"]
        (password,) = [each for each in container["env"] if each["name"] == "AUTOHIER_STORAGE_PASSWORD"]
        assert password["valueFrom"] == {"secretKeyRef": {"name": "studies", "key": "password"}}


@pytest.mark.parametrize(
    ("min_nodes", "expected"), [(1, (1, 3, True)), (5, (3, 3, True)), (None, (3, 3, False))]
)
def test_autoscaler_adds_machines_up_to_their_number(
    min_nodes: int | None, expected: tuple[int, int, bool]
) -> None:
    cluster = manifest(FULL, min_nodes=min_nodes)["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"], cluster["enableInTreeAutoscaling"]) == expected
    assert group["replicas"] == group["minReplicas"]


def test_cluster_without_a_job_says_how_to_run_a_sweep() -> None:
    settings = LaunchSettings.model_validate({**SMALL, "kuberay": {**SMALL["kuberay"], "kind": "cluster"}})
    file = kuberay_manifest(settings)
    assert file.name == "a.raycluster.yaml"
    assert "\n#   autohier search demo --trials 32 " in file.content
    assert "namespace" not in yaml.safe_load(file.content)["metadata"]


def test_copies_of_the_clips_lie_on_a_volume_of_each_pod() -> None:
    document = manifest({**FULL, "machines": {**FULL["machines"], "local_clips": "/scratch"}})
    assert not list(faults(document, "ray.io_rayjobs.yaml"))
    (group,) = document["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    pod = group["template"]["spec"]
    assert {"name": "clips", "emptyDir": {}} in pod["volumes"]
    assert {"name": "clips", "mountPath": "/scratch"} in pod["containers"][0]["volumeMounts"]
    assert {"name": "AUTOHIER_LOCAL_CLIPS", "value": "/scratch"} in pod["containers"][0]["env"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {**SMALL["search"], "out": "/it's"}}, "got /it's"),
        ({"search": {**SMALL["search"], "options": ["--set", "x=$(y)"]}}, r"got x=\$\(y\)"),
        ({"search": {**SMALL["search"], "name": "a" * 48}}, "at most 47 characters"),
        ({"kuberay": {}}, "kuberay.image must be given"),
        ({"machines": {"local_clips": "$TMPDIR"}}, r"a path without variables.*got \$TMPDIR"),
    ],
)
def test_what_a_manifest_cannot_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kuberay_manifest(LaunchSettings.model_validate({**SMALL, **changes}))


@pytest.mark.parametrize(("name", "expected"), [("ntu60-a", "ntu60-a"), ("NTU_60.b-", "ntu-60-b")])
def test_name_becomes_one_of_kubernetes(name: str, expected: str) -> None:
    assert kubernetes_name(name) == expected
