"""Tests of the Ray of the tests: its workers are forked, and are processes like others."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
import ray

pytestmark = pytest.mark.usefixtures("ray_cluster")


def _describe_process() -> dict[str, Any]:
    mask = os.umask(0)
    os.umask(mask)
    return {
        "variable": os.environ.get("AUTOHIER_TEST_VARIABLE"),
        "has_torch": "torch" in sys.modules,
        "umask": mask,
        "pid": os.getpid(),
    }


def test_workers_are_forked_with_their_own_environment():
    runtime_environment = {"env_vars": {"AUTOHIER_TEST_VARIABLE": "5"}}

    seen = ray.get(ray.remote(_describe_process).options(runtime_env=runtime_environment).remote())

    mask = os.umask(0)
    os.umask(mask)
    # Nothing here imports torch but the process that forks.
    assert seen == {"variable": "5", "has_torch": True, "umask": mask, "pid": seen["pid"]}
    assert seen["pid"] != os.getpid()


def test_workers_do_not_share_an_environment():
    seen = ray.get(ray.remote(_describe_process).options(runtime_env={"env_vars": {"OTHER": "1"}}).remote())

    assert seen["variable"] is None
