"""Workers of Ray that are forked from one process that has imported their libraries.

Importing Ray and torch takes a worker longer than the trials of the tests train. Forked workers are processes
like others: Ray starts, watches and kills them as those of its own script.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from support.sweep_runs.set_up_worker import SOCKET_VARIABLE

SET_UP_WORKER = str(Path(__file__).with_name("set_up_worker.py"))
"""The script that Ray starts for every worker, as the option ``setup_worker_path`` of a node."""

# Not Ray, which reads the environment when it is imported, but what it imports.
_LIBRARIES = (
    "autohier.core.trial",
    "autohier.models",
    "autohier.records.recorders.trial_recorder",
    "fsspec",
    "google.protobuf.json_format",
    "grpc",
    "jsonschema",
    "numpy.random",
    "pandas",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pydantic",
    "rich.live",
    "tensorboardX",
    "torch.utils.data",
    "torch.utils.tensorboard",
    "tqdm",
    "yaml",
)
_REQUEST_BYTES = 1 << 20


@contextmanager
def forked_workers(folder: Path) -> Iterator[None]:
    """Fork workers of the nodes that start in the block with `SET_UP_WORKER`, as long as the block runs."""
    address = str(folder / "workers.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(address)
        server.listen(64)
        code = f"from {__name__} import serve; serve({server.fileno()})"
        roots = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(root for root in roots if root)}
        process = subprocess.Popen((sys.executable, "-c", code), pass_fds=(server.fileno(),), env=environment)
    os.environ[SOCKET_VARIABLE] = address
    try:
        yield
    finally:
        del os.environ[SOCKET_VARIABLE]
        process.kill()
        process.wait()


def serve(descriptor: int) -> None:
    """Import the libraries, then fork a worker for every request; return in each worker after its end."""
    for name in _LIBRARIES:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that ended workers leave no zombies
    with socket.socket(fileno=descriptor) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                content, descriptors, *_ = socket.recv_fds(connection, _REQUEST_BYTES, 3)
                if os.fork() == 0:
                    break
                for each in descriptors:
                    os.close(each)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _run(json.loads(content), descriptors)


def _run(request: dict[str, Any], descriptors: list[int]) -> None:
    import numpy as np
    import torch

    for number, each in enumerate(descriptors):
        os.dup2(each, number)
        os.close(each)
    if request["leads_group"]:
        os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["blocked_signals"])
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    np.random.seed()  # noqa: NPY002  all forks would draw alike from the global generator
    torch.seed()
    sys.argv = request["arguments"]
    runpy.run_path(sys.argv[0], run_name="__main__")
