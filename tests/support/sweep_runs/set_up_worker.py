"""The script by which a Ray of the tests starts a worker: it has one forked, see `forked_workers`.

Ray's own script imports Ray, and then starts an interpreter that imports it again. This one imports nothing
outside the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys

SOCKET_VARIABLE = "AUTOHIER_TEST_WORKERS"
"""Variable of the environment: where the process that forks workers listens."""


def have_forked(arguments: list[str]) -> None:
    """Have a worker forked that takes over the state of this process; `arguments` are what Ray passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serialized-runtime-env-context", default="{}")
    parser.add_argument("--language")
    options, arguments = parser.parse_known_args(arguments)
    variables = json.loads(options.serialized_runtime_env_context).get("env_vars", {})
    request = {
        "arguments": arguments,
        "environment": dict(os.environ) | variables,
        "folder": os.getcwd(),  # noqa: PTH109  pathlib takes longer to import than this script
        "leads_group": os.getpgrp() == os.getpid(),
        "blocked_signals": [int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        "umask": os.umask(0),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(os.environ[SOCKET_VARIABLE])
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        server.recv(1)  # the worker runs, and has copies of the descriptors


if __name__ == "__main__":
    have_forked(sys.argv[1:])
