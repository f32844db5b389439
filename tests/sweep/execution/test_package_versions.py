"""Tests of the check of a cluster's machines."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from autohier.errors import InputError
from autohier.sweep.execution.signals import StopRequest, SweepInterruptedError

pytestmark = pytest.mark.usefixtures("ray_address")


def test_machines_with_the_driver_s_versions_pass() -> None:
    from autohier.sweep.execution.package_versions import check_machines

    check_machines({}, StopRequest())
    check_machines({"rich": version("rich")}, StopRequest())


def test_a_machine_with_other_versions_is_named() -> None:
    from autohier.sweep.execution.package_versions import check_machines

    packages = {"rich": "0.1", "no-such-package": "2.0"}
    expected = (
        rf"rich 0\.1, no-such-package 2\.0, but got rich {version('rich')} on \S+, no-such-package missing on"
    )
    with pytest.raises(InputError, match=expected):
        check_machines(packages, StopRequest())


def test_the_check_can_be_interrupted() -> None:
    from autohier.sweep.execution.package_versions import check_machines

    stop = StopRequest()
    stop.make()
    with pytest.raises(SweepInterruptedError):
        check_machines({"rich": "0.1"}, stop)
