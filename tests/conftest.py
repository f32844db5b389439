"""Fixtures and hooks that tests of several rooms share."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

# Imported in the fixtures, so that tests without torch do not wait for it.
if TYPE_CHECKING:
    from autohier.data.store.reader import ClipStore
    from support.command_line import Autohier


# As the command line sets them: threads that wait must not spin while other tests compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A busy machine must not fail a property test: no example has a deadline, and inputs may be slow to generate.
settings.register_profile("autohier", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("autohier")

_NEEDS_RAY = "ray_cluster"
_REPETITIVE = frozenset({"fuzz", "failing_disk"})
"""Folders of tests that coverage leaves out."""


_NUM_COUNTED = 4
"""Cases of one test in which coverage counts lines; further ones mostly run the same."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start Ray as slow, and run slow tests first, so that workers end at the same time.

    Coverage nearly doubles the time of Python code. It counts nothing in slow tests, which mostly run in
    other processes, in those that run the same lines again and again on damaged files or failing disks, and
    in later cases of a test.
    """
    cases: Counter[str] = Counter()
    for item in items:
        if _NEEDS_RAY in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
        cases[test := item.nodeid.partition("[")[0]] += 1
        is_repetitive = _REPETITIVE.intersection(item.path.parts) or cases[test] > _NUM_COUNTED
        if item.get_closest_marker("slow") or is_repetitive:
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _default_signals() -> Iterator[None]:
    """Give SIGINT and SIGHUP their default action in commands that tests start.

    A shell that runs the tests in the background makes its children ignore SIGINT, and ``nohup`` SIGHUP; they
    pass that on.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _restore_torch() -> Iterator[None]:
    """Compute on one thread, and restore after the test what a trial sets for its process."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    num_threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    deterministic, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)
    torch.set_float32_matmul_precision(precision)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = benchmark


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A read-only data folder with the tiny clip store, prepared once for all xdist workers."""
    from support.sources.tiny_clips import prepare_tiny_clips

    if worker_id == "master":
        data = tmp_path_factory.mktemp("data")
        prepare_tiny_clips(data)
        return data
    data = tmp_path_factory.getbasetemp().parent / "tiny-data"
    with FileLock(f"{data}.lock"):
        if not data.exists():
            unfinished = data.with_suffix(".unfinished")
            prepare_tiny_clips(unfinished)
            unfinished.rename(data)
    return data


@pytest.fixture(scope="session")
def tiny_clips(tiny_data: Path) -> ClipStore:
    """The tiny clip store, open."""
    from autohier.data.store.reader import ClipStore

    return ClipStore.open(tiny_data / "demo")


@pytest.fixture
def autohier(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Autohier:
    """Run a command line in this process and return how it ended."""
    from support.command_line import run_autohier

    return partial(run_autohier, monkeypatch, capsys)
