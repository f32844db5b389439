"""Commands in processes that are forked from one that has imported their libraries.

Importing torch, Ray and Optuna takes a driver longer than the sweeps of the tests train. Forked commands are
processes like others: they get signals, end with an exit code, and end as an interpreter does. What they must
not share is their start: tests of what is imported when, or of a local Ray, start an interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO

_LIBRARIES = (
    "autohier.cli.main",
    "autohier.sweep.api",
    "autohier.sweep.protocol_sweeps",
    "autohier.sweep.execution.cluster.preflight",
    "autohier.sweep.execution.tuner",
    "autohier.sweep.execution.leases.ray_leases",
    "autohier.reports.sweeps.progress",
)
_REQUEST_BYTES = 1 << 20
_FAILED = 1


class Command:
    """A command that runs, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, stdout: int, stderr: int, answers: int) -> None:
        self.stdout: IO[str] = os.fdopen(stdout)
        self.stderr: IO[str] = os.fdopen(stderr)
        self.returncode: int | None = None
        self._answers = os.fdopen(answers)
        self.pid = int(self._answers.readline())
        self._ended = threading.Event()
        threading.Thread(target=self._wait_for_end, daemon=True).start()

    def poll(self) -> int | None:
        """Return the exit code, or None while the command runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code, which is negative after a signal."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("autohier", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end and return the output and the errors."""
        texts = {"stdout": "", "stderr": ""}

        def read(name: str) -> None:
            with getattr(self, name) as pipe:
                texts[name] = pipe.read()

        threads = [threading.Thread(target=read, args=(name,), daemon=True) for name in texts]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join(timeout)
        return texts["stdout"], texts["stderr"]

    def _wait_for_end(self) -> None:
        with self._answers:
            self.returncode = int(self._answers.readline() or _FAILED)
        self._ended.set()


class CommandServer:
    """Starts commands, each in a fork of a process that has imported their libraries."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            code = f"from {__name__} import serve; serve({theirs.fileno()})"
            roots = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(root for root in roots if root)}
            self._process = subprocess.Popen(
                (sys.executable, "-c", code),
                pass_fds=(theirs.fileno(),),
                env=environment,
                stdout=subprocess.PIPE,  # as commands have it: Python asks once whether it can seek there
            )

    def start(self, folder: Path, *arguments: str) -> Command:
        """Start ``autohier`` with arguments in a folder, with the environment of this process."""
        request = {"folder": str(folder), "arguments": arguments, "environment": dict(os.environ)}
        pipes = [os.pipe() for _ in ("stdout", "stderr", "answers")]
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [theirs for _, theirs in pipes])
        finally:
            for _, theirs in pipes:
                os.close(theirs)
        return Command(*(ours for ours, _ in pipes))

    def close(self) -> None:
        """End the process that forks commands."""
        self._socket.close()
        self._process.wait()


def serve(descriptor: int) -> None:
    """Import the libraries, then fork a command for every request; return in each command after its end."""
    from autohier.sweep.execution.ray_session.session import be_quiet

    be_quiet()
    for name in _LIBRARIES:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that ended watchers leave no zombies
    with socket.socket(fileno=descriptor) as requests:
        while True:
            content, descriptors, *_ = socket.recv_fds(requests, _REQUEST_BYTES, 3)
            if not content:
                return
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _watch(json.loads(content), descriptors)


def _watch(request: dict[str, object], descriptors: list[int]) -> None:
    """Fork a command and report its identifier and its exit code; return in the command."""
    *outputs, answers = descriptors
    pid = os.fork()
    if pid:
        for each in (*outputs, 0, 1, 2):
            os.close(each)
        with suppress(BrokenPipeError):
            os.write(answers, f"{pid}\n".encode())
            _, status = os.waitpid(pid, 0)
            os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(answers)
    for number, each in enumerate(outputs, 1):
        os.dup2(each, number)
        os.close(each)
    _run(**request)  # type: ignore[arg-type]


def _run(folder: str, arguments: list[str], environment: dict[str, str]) -> None:
    from autohier.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    main()
