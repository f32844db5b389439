"""What tests of several rooms share: the tiny store, the command line, and torch as it was."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Imported where they are needed, so that tests which need no torch do not wait for it.
if TYPE_CHECKING:
    from autohier.data.store.reader import ClipStore
    from command_line import Autohier


@pytest.fixture(scope="session", autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """Commands that tests start heed SIGINT, also where a shell runs the tests in the background.

    Such a shell has its children ignore SIGINT, and what is ignored stays so in their children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    """Tiny networks compute on one thread, and what a trial sets for its process ends with the test."""
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
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores that holds the tiny one; not to be written to."""
    from tiny_clips import prepare_tiny_clips

    data = tmp_path_factory.mktemp("data")
    prepare_tiny_clips(data)
    return data


@pytest.fixture(scope="session")
def tiny_clips(tiny_data: Path) -> ClipStore:
    """The tiny store, open."""
    from autohier.data.store.reader import ClipStore

    return ClipStore.open(tiny_data / "demo")


@pytest.fixture
def autohier(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Autohier:
    """The command as a user calls it, in this process."""
    from command_line import run_autohier

    return partial(run_autohier, monkeypatch, capsys)
