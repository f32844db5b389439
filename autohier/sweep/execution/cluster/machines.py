"""The machines of a cluster during a sweep: each is checked when it joins, and runs trials once it passes.

A thread of the driver asks Ray every second for the machines. It sends the check (see `machine_check`) to
each new one, and prints once why a machine gets no trial. A refused machine is checked again every minute, as
its folders may be mounted by then.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from autohier.errors import InputError, Whole, cause_text, one_line
from autohier.files import write_atomically
from autohier.sweep.execution.cluster.admission import ADMITTED, DRAINED, TOO_SMALL, AdmissionTable
from autohier.sweep.execution.cluster.machine_check import Demands, Findings, check_machine, has_content
from autohier.sweep.execution.cluster.placement import on_driver_machine, on_machine, refuse_machines
from autohier.sweep.execution.ray_session.private_state import draining_machines
from autohier.sweep.execution.signals import StopRequest

_LOG = logging.getLogger(__name__)

_POLL_S = 1.0
_AGAIN_S = 60.0
"""Seconds after which a refused machine is checked again."""
_VISIBLE_S = 10.0
"""Time in which a shared file system shows the driver a machine's file."""
_PATIENCE_S = 60.0
"""Time in which every machine should answer before the first trial; later answers count too."""
_CLOCK_S = 30.0
"""Difference between two clocks that is refused: locks and records compare times of several machines."""
_JOIN_S = 5.0

Resources = Mapping[str, float]


@dataclass
class _Machine:
    """One machine of the cluster, as far as the driver knows it."""

    node: str
    host: str
    resources: Resources
    sent_at: float = 0.0
    """Clock of the driver's machine when the check was sent, in seconds since 1970."""
    answer: Any = None
    """Reference of the running check's findings; None if none runs."""
    findings: Findings | None = None
    answered_at: float = 0.0
    verdict: str | None = None
    """`ADMITTED`, the reason why the machine is refused, or None before the first verdict."""
    judged_at: float = field(default_factory=time.monotonic)


class Machines:
    """Machines of the cluster, of which those that fit a trial are checked.

    Args:
        demands: of the driver on every machine.
        fits: returns True if a machine with these resources can run a trial; others are not checked.
        say: prints a line.
        refuse_others: True refuses machines that are not checked, since Ray would start processes there that
            ask for no cores.
    """

    def __init__(
        self,
        demands: Demands,
        fits: Callable[[Resources], bool],
        say: Callable[[str], None],
        *,
        refuse_others: bool = False,
    ) -> None:
        self._demands, self._fits, self._say = demands, fits, say
        self._refuse_others = refuse_others
        self._machines: dict[str, _Machine] = {}
        self._ended = threading.Event()
        self._changed = threading.Condition()
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(AdmissionTable)
        self.table: Any = actor.options(scheduling_strategy=on_driver_machine()).remote()
        """Actor of the `AdmissionTable`."""
        self._check = ray.remote(num_cpus=0, max_retries=3)(check_machine)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Write the driver's file, which machines must read, and start to check machines."""
        self._demands.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._demands.driver_file, self._demands.token.encode())
        self._thread.start()

    def end(self) -> None:
        """Stop checking, and remove the files that driver and machines left for each other."""
        self._ended.set()
        self._thread.join(_JOIN_S)  # a cluster whose head is lost does not answer
        refuse_machines(())
        shutil.rmtree(self._demands.folder, ignore_errors=True)

    def admitted(self, stop: StopRequest) -> list[Resources]:
        """Wait until the machines are checked; return the resources of those that may run trials.

        Raises:
            InputError: if no machine may; names all of them with the reasons.
            SweepInterruptedError: if the sweep should stop.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            stop.check()
            with self._changed:
                self._changed.wait(_POLL_S)
                machines = list(self._machines.values())
            is_late = time.monotonic() >= deadline
            passed = [each.resources for each in machines if each.verdict == ADMITTED]
            if machines and (all(each.verdict is not None for each in machines) or (is_late and passed)):
                break
            if is_late:
                break
        if not passed:
            reasons = by_reason({self._name(each): each.verdict or "no answer" for each in machines})
            raise InputError(
                "a machine must pass the check before a trial runs there",
                got=Whole(reasons) or "no machine that fits a trial",
                hint="see 'Shared storage' in docs/cluster.md",
            )
        return passed

    def passed(self) -> list[Resources]:
        """Return the resources of the machines that may run trials now."""
        with self._changed:
            return [each.resources for each in self._machines.values() if each.verdict == ADMITTED]

    def _watch(self) -> None:
        while not self._ended.wait(0 if not self._machines else _POLL_S):
            try:
                self._look()
            except (RayError, OSError, RuntimeError, ValueError):  # what Ray raises if its head is lost
                _LOG.debug("the cluster does not answer", exc_info=True)

    def _look(self) -> None:
        """Ask for the machines once, send checks and judge answers."""
        alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        draining = draining_machines()
        with self._changed:
            for node in set(self._machines) - set(alive):
                del self._machines[node]
            for node, facts in alive.items():
                if node not in self._machines and self._fits(facts["Resources"]):
                    self._machines[node] = _Machine(node, facts["NodeManagerHostname"], facts["Resources"])
            for machine in self._machines.values():
                if machine.node in draining:
                    self._judge(machine, DRAINED)
                else:
                    self._advance(machine)
            verdicts = {
                node: each.verdict for node, each in self._machines.items() if each.verdict is not None
            }
            if self._refuse_others:
                verdicts |= dict.fromkeys(alive.keys() - self._machines.keys(), TOO_SMALL)
            refuse_machines([node for node, verdict in verdicts.items() if verdict != ADMITTED])
            self.table.update.remote(verdicts)
            self._changed.notify_all()

    def _advance(self, machine: _Machine) -> None:
        now = time.monotonic()
        if machine.answer is None and machine.findings is None:
            if machine.verdict is None or (machine.verdict and now - machine.judged_at >= _AGAIN_S):
                machine.sent_at = time.time()
                check = self._check.options(scheduling_strategy=on_machine(machine.node))
                machine.answer = check.remote(self._demands, machine.node)
        elif machine.answer is not None and ray.wait([machine.answer], timeout=0)[0]:
            machine.findings, machine.answer = _findings(machine.answer), None
            machine.answered_at = now
        if machine.findings is not None:
            reason = self._reason(machine, machine.findings)
            if reason is not None:
                self._judge(machine, reason)

    def _reason(self, machine: _Machine, findings: Findings) -> str | None:
        """Return the verdict that follows from findings; None while the machine's file may yet appear."""
        faults = list(findings.faults)
        if not faults and not has_content(self._demands.machine_file(machine.node), self._demands.token):
            if time.monotonic() - machine.answered_at < _VISIBLE_S:
                return None
            faults.append(f"what it writes in {self._demands.folder} does not reach the driver")
        faults += clock_faults(findings.time_s, machine.sent_at, time.time())
        return "; ".join(faults) or ADMITTED

    def _judge(self, machine: _Machine, verdict: str) -> None:
        before, machine.verdict = machine.verdict, verdict
        machine.findings, machine.judged_at = None, time.monotonic()
        if verdict == DRAINED != before:
            self._say(f"machine {self._name(machine)}: {verdict}")
        elif verdict and verdict != before:
            self._say(f"machine {self._name(machine)} gets no trial: {verdict}")
        elif before and not verdict:
            self._say(f"machine {self._name(machine)} passes the check now and gets trials")

    def _name(self, machine: _Machine) -> str:
        hosts = Counter(each.host for each in self._machines.values())
        return machine.host if hosts[machine.host] == 1 else f"{machine.host} (node {machine.node[:8]})"


def by_reason(reasons: Mapping[str, str]) -> str:
    """Return the reasons why machines are refused, each once, with the names of its machines."""
    names: dict[str, list[str]] = {}
    for name in sorted(reasons):
        names.setdefault(reasons[name], []).append(name)
    return "; ".join(
        f"{each[0]}: {reason}" if len(each) == 1 else f"{len(each)} machines ({', '.join(each)}): {reason}"
        for reason, each in names.items()
    )


def clock_faults(machine_s: float, sent_s: float, received_s: float) -> list[str]:
    """Return a fault if a machine's clock, read between two times of the driver's, is far off."""
    ahead = max(0.0, machine_s - received_s)
    behind = max(0.0, sent_s - machine_s)
    if max(ahead, behind) <= _CLOCK_S:
        return []
    return [f"its clock is {max(ahead, behind):.0f} s {'ahead of' if ahead else 'behind'} the driver's"]


def _findings(answer: Any) -> Findings:  # noqa: ANN401  reference of the findings
    try:
        findings: Findings = ray.get(answer)
    except (RayError, ImportError, AttributeError) as error:
        # An environment without autohier, or with another version of it, cannot run the check.
        cause = getattr(error, "cause", None) or error
        return Findings((one_line(f"the check cannot run there: {cause_text(cause)}"),), time.time())
    return findings


@contextmanager
def checked_machines(
    demands: Demands,
    fits: Callable[[Resources], bool],
    say: Callable[[str], None],
    *,
    refuse_others: bool = False,
) -> Iterator[Machines]:
    """Check the machines of the cluster, also those that join later, while the block runs; see `Machines`."""
    machines = Machines(demands, fits, say, refuse_others=refuse_others)
    machines.start()
    try:
        yield machines
    finally:
        machines.end()


def make_demands(
    folder: Path,
    clip_folder: Path,
    fingerprint: str,
    stage_folder: Path,
    versions: Mapping[str, str],
    *,
    needs_gpu: bool,
    weights: tuple[Path, ...] = (),
) -> Demands:
    """Return demands with a new token."""
    token = secrets.token_hex(16)
    return Demands(folder, token, clip_folder, fingerprint, stage_folder, versions, needs_gpu, weights)
