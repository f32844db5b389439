"""Processes on this machine that act as the ranks of replicas, kept alive for many cases."""

from __future__ import annotations

import multiprocessing
import pickle
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch

from autohier.core.training.replicas import SOLO
from autohier.core.training.replicas.process_group import open_replicas

PATIENCE_S = 120.0
"""Longest time that a rank waits for the others; a busy machine may be slow."""
_PRELOADED = ["torch._dynamo", "autohier.core.stages.training", "autohier.testing.recognizers"]

Work = Callable[..., Any]
"""Function of replicas and other arguments, which runs on every rank; it must be importable."""


class RankPool:
    """Processes that run a function as the ranks of one group after another."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("forkserver")
        # Forked from a process with these modules, a rank starts at once.
        context.set_forkserver_preload(_PRELOADED)
        pairs = [context.Pipe() for _ in range(size)]
        self._pipes = [here for here, _ in pairs]
        self._processes = [context.Process(target=_serve, args=(there,), daemon=True) for _, there in pairs]
        for process, (_, there) in zip(self._processes, pairs, strict=True):
            process.start()
            there.close()

    def outcomes(self, width: int, work: Work, *arguments: Any, timeout_s: float = PATIENCE_S) -> list[Any]:
        """Run a function on every rank of a new group, and return its results or errors by rank."""
        if width == 1:
            return [work(SOLO, *arguments)]
        address = f"127.0.0.1:{_free_port()}"
        for rank, pipe in enumerate(self._pipes[:width]):
            pipe.send_bytes(pickle.dumps((rank, width, address, timeout_s, work, arguments)))
        return [_received(pipe) for pipe in self._pipes[:width]]

    def run(self, width: int, work: Work, *arguments: Any) -> list[Any]:
        """Run a function on every rank of a new group, and return its results by rank."""
        outcomes = self.outcomes(width, work, *arguments)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if errors:
            raise ExceptionGroup("ranks failed", errors)
        return outcomes

    def close(self) -> None:
        """End the processes."""
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.join(PATIENCE_S)


@contextmanager
def open_rank_pool(size: int) -> Iterator[RankPool]:
    """Start processes, and end them after the block."""
    pool = RankPool(size)
    try:
        yield pool
    finally:
        pool.close()


def _serve(pipe: Connection) -> None:
    torch.set_num_threads(1)
    while True:
        try:
            rank, width, address, timeout_s, work, arguments = pickle.loads(pipe.recv_bytes())
        except EOFError:
            return
        device = torch.device("cpu")
        try:
            with open_replicas(rank, width, address, device=device, timeout_s=timeout_s) as replicas:
                outcome = work(replicas, *arguments)
        except Exception as error:  # noqa: BLE001  the test judges it
            outcome = error
        # Bytes, as a pipe passes tensors on through shared memory.
        pipe.send_bytes(pickle.dumps(outcome))


def _received(pipe: Connection) -> Any:
    if not pipe.poll(2 * PATIENCE_S):
        raise TimeoutError("a rank does not answer")
    try:
        return pickle.loads(pipe.recv_bytes())
    except EOFError as error:
        return error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
