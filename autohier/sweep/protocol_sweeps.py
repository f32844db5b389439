"""Search a space under several protocols of its dataset: one sweep after the other, one per protocol.

>>> search_protocols("n_ucla", name="ucla", trials=8)  # doctest: +SKIP
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Unpack

from rich.console import Console

from autohier.config.search.loading import load_space, parse_override
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.console import open_console
from autohier.data.names import composed
from autohier.data.protocols import PROTOCOLS
from autohier.data.store.paths import MANIFEST, store_folder
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, error_about, nearest
from autohier.sweep.api import DEFAULT_DATA, DEFAULT_OUT, SweepResult
from autohier.sweep.continuation import require_same, run
from autohier.sweep.execution.signals import catch_signals
from autohier.sweep.paths import SweepFolder
from autohier.sweep.plans.new_plan import SweepOptions, check_new_plan, make_plan

ALL: Final = "all"
"""Stands for every protocol of the dataset."""
_SETTING: Final = "protocol.name"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class ProtocolResults:
    """Results of the sweeps of several protocols, finished or not."""

    sweeps: tuple[str, ...]
    """Names of all sweeps, in the order of the protocols."""
    results: tuple[SweepResult, ...]
    """Results of the sweeps that ran, in the same order; the last one is incomplete if a signal ended it."""

    @property
    def complete(self) -> bool:
        """Return True if every sweep is complete."""
        return len(self.results) == len(self.sweeps) and all(result.complete for result in self.results)


def search_protocols(
    space: str | Path | SearchSpace,
    protocols: Sequence[str] = (ALL,),
    *,
    name: str,
    trials: int,
    out: str | Path = DEFAULT_OUT,
    data: str | Path = DEFAULT_DATA,
    overrides: Sequence[str] = (),
    prepare: Callable[[SearchSpace], None] | None = None,
    console: Console | None = None,
    report: Callable[[SweepResult], None] = lambda _: None,
    **options: Unpack[SweepOptions],
) -> ProtocolResults:
    """Search a space under several protocols of its dataset, as sweeps ``NAME-PROTOCOL``.

    The same call again continues: finished sweeps are kept, unfinished ones resumed, missing ones started.
    All sweeps are checked before the first one runs.

    Args:
        space: see `start_sweep`.
        protocols: names of protocols, or ``("all",)``.
        name: first part of the sweeps' names.
        trials: number of trials of each sweep.
        out: see `start_sweep`, as for the following arguments.
        data: folder of prepared datasets.
        overrides: changes of the space.
        prepare: may prepare the dataset.
        console: console that shows the progress.
        report: called with the result of each sweep as soon as the sweep ends.
        **options: further arguments of `start_sweep`.

    Raises:
        InputError: if a protocol is unknown, or a sweep of such a name has other settings; see `start_sweep`.
        MissingDataError, RepeatedFailureError, SweepBusyError: see `start_sweep` and `resume_sweep`.
    """
    out, data = Path(out), Path(data)
    console = console or open_console()
    results: list[SweepResult] = []
    with catch_signals() as stop:
        loaded = space if isinstance(space, SearchSpace) else _load(str(space), overrides)
        plans = [
            make_plan(each, name=sweep, trials=trials, out=out, data=data, options=options)
            for sweep, each in _spaces(loaded, choose_protocols(protocols, loaded, data), name)
        ]
        _check_plans(plans, out, prepare)
        for number, plan in enumerate(plans, start=1):
            if stop.is_made:
                break
            console.print(f"protocol {plan.space.protocol.name}, {number} of {len(plans)}")
            results.append(run(plan, out, data, options, console))
            report(results[-1])
            if not results[-1].complete:
                break
    return ProtocolResults(tuple(plan.name for plan in plans), tuple(results))


def choose_protocols(asked: Sequence[str], space: SearchSpace, data: Path) -> tuple[str, ...]:
    """Return the names of the protocols that are asked for, each once.

    Args:
        asked: names of protocols, or ``("all",)`` for all of the dataset.
        space: names the dataset.
        data: folder of prepared datasets; the protocols of published datasets are known without a store.

    Raises:
        InputError: if the dataset has no such protocol, or none is asked for.
        MissingDataError: if neither a store nor a publication states the dataset's protocols.
    """
    folder = store_folder(data, space.dataset, space.clips.modality)
    rules = PROTOCOLS.get(space.dataset, ())
    if not rules or (folder / MANIFEST).is_file():
        rules = ClipStore.open(folder).manifest.protocols
    valid = [rule.name for rule in rules]
    names = tuple(dict.fromkeys(composed(one.strip()) for one in asked))
    if names == (ALL,):
        return tuple(valid)
    for name in names:
        if name not in valid:
            hint = nearest(name, valid)
            raise InputError(f"unknown protocol {name!r} of {space.dataset}", hint=hint)
    if not names:
        raise InputError("at least one protocol must be searched", hint=f"valid are {', '.join(valid)}")
    return names


def _load(space: str, overrides: Sequence[str]) -> SearchSpace:
    if any(parse_override(text)[0] == _SETTING for text in overrides):
        raise InputError(
            f"{_SETTING} must not be set if protocols are listed",
            hint="list the protocol with the others in --protocols, or leave --protocols out",
        )
    return load_space(space, overrides)


def _spaces(space: SearchSpace, protocols: Sequence[str], name: str) -> Iterator[tuple[str, SearchSpace]]:
    """Yield the name of each protocol's sweep and its space."""
    taken: dict[str, str] = {}
    for protocol in protocols:
        sweep = f"{name}-{_NOT_IN_NAMES.sub('-', protocol)}"
        other = taken.setdefault(sweep, protocol)
        if other != protocol:
            raise InputError(
                "protocols must differ in the letters a sweep's name can have",
                got=f"{other!r} and {protocol!r}",
                hint=f"search each with --set {_SETTING}=... and a --name of its own",
            )
        settings = space.protocol.model_copy(update={"name": protocol})
        yield sweep, space.model_copy(update={"protocol": settings})


def _check_plans(
    plans: Sequence[SweepPlan], out: Path, prepare: Callable[[SearchSpace], None] | None
) -> None:
    """Check that every sweep can start or continue, and that their results can be averaged."""
    kinds: dict[str, str] = {}
    for plan in plans:
        with error_about(plan.space.protocol.name):
            checked = check_new_plan(plan, prepare=prepare)
        kinds.setdefault(checked.space.protocol.validation, checked.space.protocol.name)
        folder = SweepFolder(out / plan.name)
        if folder.plan_file.exists():
            require_same(folder.read_plan()[0], checked)
    if len(kinds) > 1:
        raise InputError(
            "protocols must have one kind of validation to be averaged",
            got=", ".join(f"{kind} for {protocol}" for kind, protocol in kinds.items()),
            hint="choose one for all, e.g. --set protocol.validation=clean",
        )
