"""Fake programs of Slurm, Ray and autohier, so that a batch script of Slurm runs in a test without them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.waiting import wait_until

_SRUN = """\
#!/usr/bin/env bash
for word in "$@"; do [[ $word != --nodelist=* ]] || export SLURMD_NODENAME=${word#--nodelist=}; done
while [ "$1" != bash ]; do shift; done
echo $$ >"$FAKES/step-$SLURMD_NODENAME.group"
exec setsid "$@"
"""
_SCONTROL = """\
#!/usr/bin/env bash
if [ "$1" = show ]; then printf '%s\\n' n1 n2; exit; fi
echo "$*" >>"$FAKES/requeued"
exit "${FAKE_REQUEUE_CODE:-0}"
"""
_SCANCEL = """\
#!/usr/bin/env bash
for file in "$FAKES"/step-*.group; do kill -TERM -- "-$(cat "$file")"; done
"""
_RAY = """\
#!{python}
import json, os, pathlib, signal, socket, sys
folder, name = pathlib.Path(os.environ["FAKES"]), os.environ["SLURMD_NODENAME"]
if os.environ.get("FAKE_RAY_CODE"): sys.exit("no Ray today")
(folder / f"ray-{{name}}.json").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
options = dict(word.partition("=")[::2] for word in sys.argv[1:])
if "--head" in options:
    listener = socket.create_server((options["--node-ip-address"], int(options["--port"])))
signal.sigwait([signal.SIGTERM])
"""
_AUTOHIER = """\
#!{python}
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["FAKES"])
(folder / f"{{sys.argv[1]}}.json").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
if sys.argv[1] == "launch":
    if "FAKE_WAIT_CODE" in os.environ: sys.exit(int(os.environ["FAKE_WAIT_CODE"]))
    while not all((folder / f"ray-{{name}}.json").exists() for name in ("n1", "n2")): time.sleep(0.01)
    sys.exit()
if "FAKE_SEARCH_CODE" in os.environ: sys.exit(int(os.environ["FAKE_SEARCH_CODE"]))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
(folder / "searching").touch()
signal.sigwait([signal.SIGTERM])
sys.exit(143)
"""
NUMBER = 2_000_017
"""Id of the job."""


@dataclass(frozen=True)
class FakePrograms:
    """An environment whose ``bin`` holds the fake programs."""

    folder: Path

    @classmethod
    def write(cls, folder: Path) -> FakePrograms:
        """Write the programs."""
        programs = {
            "srun": _SRUN,
            "scontrol": _SCONTROL,
            "scancel": _SCANCEL,
            "ray": _RAY,
            "autohier": _AUTOHIER,
        }
        (folder / "bin").mkdir(parents=True)
        for name, text in programs.items():
            path = folder / "bin" / name
            path.write_text(text.format(python=sys.executable) if "{python}" in text else text)
            path.chmod(0o755)
        return cls(folder)

    def start(self, script: Path, **variables: str) -> subprocess.Popen[str]:
        """Start a batch script as Slurm would, on the first of two machines."""
        environment = {
            **os.environ,
            "FAKES": str(self.folder),
            "SLURM_JOB_ID": str(NUMBER),
            "SLURM_JOB_NODELIST": "n[1-2]",
            "SLURMD_NODENAME": "n1",
            "SLURM_CPUS_PER_TASK": "4",
            "SLURM_CPUS_ON_NODE": "6",
            "SLURM_MEM_PER_NODE": "8192",
            **variables,
        }
        return subprocess.Popen(
            ["bash", script],
            env=environment,
            cwd=self.folder,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def wait_for_search(self) -> None:
        """Wait until the fake search runs."""
        wait_until((self.folder / "searching").exists, "the search runs")

    def send(self, process: subprocess.Popen[str], number: signal.Signals) -> None:
        """Send a signal to the script alone, as Slurm does."""
        os.kill(process.pid, number)
