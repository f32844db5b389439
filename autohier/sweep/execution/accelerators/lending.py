"""Start of the lending of accelerators: the broker, and the number of accelerators up to which a stage gains.

If the scaling is to be measured, the broker lends the workers of the sweep to a few training steps of the
space's first network: on the fewest accelerators that a stage needs, then each time on twice the number, as
long as this pays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from autohier.config.scaling import MEASURE, MeasuredScaling, Scaling, parse_scaling
from autohier.config.sweep import SweepPlan
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.failures import is_out_of_memory
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.step_time import time_step
from autohier.core.training.replicas.process_group import open_replicas
from autohier.errors import LostProcessError
from autohier.sweep.execution.accelerators.broker import AcceleratorUnit, Loan, start_broker
from autohier.sweep.execution.accelerators.worker_answers import await_restart, count_death, gathered
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.text import plural

_HOLDER = "scaling"
_POLL_S = 0.5
_ANSWER_S = 10.0
"""Time in which the broker takes workers back."""
_TIMEOUT_S = 300.0
"""Longest time that a rank waits for the others."""
_TIME_S = 3.0
"""Time that the steps on the fewest accelerators should take."""
_MIN_STEPS, _MAX_STEPS = 3, 30
_REPEATS = 2
"""Measurements on each number of accelerators, of which the faster one counts."""
_HALVES = 2


@dataclass(frozen=True, slots=True)
class Lending:
    """A sweep that lends its accelerators."""

    context: SweepContext
    """Of the sweep, with the broker."""
    measured: MeasuredScaling | None = None
    """Scaling as it was measured; None if it was given, or there is one accelerator for a stage."""


def lend_accelerators(
    scaling: str,
    plan: SweepPlan,
    context: SweepContext,
    share: Share,
    say: Callable[[str], None],
    stop: StopRequest,
) -> Lending:
    """Start the broker, and measure up to which number of accelerators a stage gains, unless it is given.

    Args:
        scaling: as the plan has it.
        plan: its measured scaling is taken over if it was measured on the same machines.
        context: of the sweep.
        share: of a trial.
        say: prints a line.
        stop: ends the measurement.

    Raises:
        OutOfMemoryError: if half a batch does not fit the memory.
        LostProcessError: if workers are lost repeatedly.
        SweepInterruptedError: if the sweep should stop.
    """
    if scaling != MEASURE:
        return Lending(replace(context, broker=start_broker(context, share, parse_scaling(scaling))))
    config = plan.space.config(next(iter(plan.space.flat_params_by_network().values())), seed=plan.seed)
    # A rank beyond the clips of a batch would compute nothing.
    max_width = config.optimisation.batch_size
    broker = start_broker(context, share, Scaling(max_width, 1.0))
    ruler = _Ruler(broker, config, stop)
    machines = ruler.machines()
    unit = AcceleratorUnit.of(share.cpus, share.gpus, max_width)
    widths = widths_to_measure(unit.min_width, min(sum(machines.values()), unit.max_width))
    described = ruler.describe(machines, unit)
    measured = plan.measured_scaling
    if len(widths) == 1:
        say(f"scaling: nothing to measure on {described}")
        return Lending(replace(context, broker=broker, max_width=widths[0]))
    if measured is None or measured.machines != described:
        say(f"scaling: measuring training steps on {described} ...")
        measured = MeasuredScaling(machines=described, step_s=measure_steps(ruler.time_step, widths))
        say(f"scaling: {measured}")
    width = measured.scaling.max_width
    say(f"scaling: a stage trains on up to {plural(width, 'accelerator')}, as measured on {described}")
    return Lending(replace(context, broker=broker, max_width=width), measured)


def widths_to_measure(fewest: int, most: int) -> list[int]:
    """Return numbers of accelerators, each twice the one before, up to the largest."""
    widths = [fewest]
    while widths[-1] < most:
        widths.append(min(2 * widths[-1], most))
    return widths


def measure_steps(time_step: Callable[[int, int], float | None], widths: Sequence[int]) -> dict[int, float]:
    """Measure the seconds of a step on each number of accelerators, up to the first that does not pay.

    Args:
        time_step: of a number of accelerators and a number of steps; returns None if there are fewer.
        widths: numbers of accelerators, ascending.
    """
    rough_s = time_step(widths[0], _MIN_STEPS) or _TIME_S
    num_steps = max(_MIN_STEPS, min(int(_TIME_S / rough_s), _MAX_STEPS))
    step_s: dict[int, float] = {}
    for width in widths:
        times = [time_step(width, num_steps) for _ in range(_REPEATS)]
        seconds = [each for each in times if each is not None]
        if not seconds:
            break
        step_s[width] = min(seconds)
        if not MeasuredScaling(machines="", step_s=step_s).pays:
            break
    return step_s


class _Ruler:
    """Measures steps on the workers of a broker.

    Args:
        broker: actor handle of the `AcceleratorBroker`.
        config: of the trial whose first stage is trained.
        stop: ends the measurement.
    """

    def __init__(self, broker: Any, config: TrialConfig, stop: StopRequest) -> None:  # noqa: ANN401
        self._broker, self._config, self._stop = broker, config, stop
        self._micro_batches = 1

    def machines(self) -> dict[str, int]:
        """Wait for the workers; return the number of accelerators of each machine, by Ray's identifiers."""
        self._answer(self._broker.device_type.remote())
        machines: dict[str, int] = self._answer(self._broker.machines.remote())
        return machines

    def describe(self, machines: Mapping[str, int], unit: AcceleratorUnit) -> str:
        """Return a text that identifies machines and accelerators, so that a later driver notices changes."""
        device_type: str = self._answer(self._broker.device_type.remote())
        nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes()}
        kinds = Counter(
            " ".join([plural(number, "accelerator"), *_accelerator_types(nodes.get(machine, {}))])
            for machine, number in machines.items()
        )
        texts = [f"{plural(count, 'machine')} with {kind}" for kind, count in sorted(kinds.items())]
        share = f"{unit.gpus:g} GPU and {unit.cpus:g} CPU each" if unit.gpus else f"{unit.cpus:g} CPU each"
        return f"{' and '.join(texts)} ({device_type}, {share})"

    def time_step(self, width: int, num_steps: int) -> float | None:
        """Return the seconds of a step on some accelerators; None if there are fewer."""
        num_deaths = 0
        while True:
            with self._lent(width) as loan:
                if len(loan.workers) < width:
                    return None
                try:
                    return self._time_on(loan.workers, num_steps)
                except (RayActorError, LostProcessError) as error:
                    num_deaths = count_death(num_deaths, error)
                    await_restart(loan.workers)
                except (MemoryError, OSError, RuntimeError) as error:
                    # As a stage is trained then; see `run_stage`.
                    if not is_out_of_memory(error) or self._micro_batches == _HALVES:
                        raise
                    self._micro_batches = _HALVES

    def _time_on(self, workers: Sequence[Any], num_steps: int) -> float:
        (address,) = gathered([workers[0].address.remote()], workers[:1])
        asked = [
            worker.call.remote(
                _time_as_rank, self._config, {}, (num_steps, self._micro_batches, rank, len(workers), address)
            )
            for rank, worker in enumerate(workers)
        ]
        self._wait(asked)
        step_s: float = gathered(asked, workers)[0]
        return step_s

    @contextmanager
    def _lent(self, width: int) -> Iterator[Loan]:
        name = f"{width} accelerators"
        try:
            yield self._answer(self._broker.claim.remote(_HOLDER, name, limit=width))
        finally:
            with suppress(GetTimeoutError, RayError):  # a lost broker has forgotten the loan
                ray.get(self._broker.release.remote(_HOLDER, name), timeout=_ANSWER_S)

    def _answer(self, reference: Any) -> Any:  # noqa: ANN401
        self._wait([reference])
        return ray.get(reference)

    def _wait(self, references: Sequence[Any]) -> None:
        """Wait for the first answer."""
        while not ray.wait(list(references), timeout=_POLL_S)[0]:
            self._stop.check()


def _time_as_rank(
    trial: TrialSetup, num_steps: int, micro_batches: int, rank: int, width: int, address: str
) -> float:
    """Time steps in a worker, as one of several ranks."""
    device = trial.context.device.torch_device
    with open_replicas(rank, width, address, device=device, timeout_s=_TIMEOUT_S) as replicas:
        return time_step(trial, num_steps, micro_batches=micro_batches, replicas=replicas)


def _accelerator_types(resources: Mapping[str, float]) -> list[str]:
    """Return the kinds of GPUs that Ray has found on a machine, e.g. "H100"."""
    return sorted(name.partition(":")[2] for name in resources if name.startswith("accelerator_type:"))
