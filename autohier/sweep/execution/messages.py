"""Messages that a sweep's actors send its driver: frozen records that travel as JSON.

A trial sends them through ``tune.report``, several at a time; the actor of a shared stage returns them from a
method. Ray Tune flattens and copies each part of a report, so that a report holds one text (`to_report`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from autohier.errors import FailureClass

_KEY = "messages"


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """A trial trained an epoch, or replayed one from an epoch checkpoint."""

    stage: str
    """Label of the stage, e.g. "pass 2 of fold 1"."""
    epoch: int
    """Number of epochs done, from 1."""
    accuracy: float
    """Validation accuracy; NaN if the stage trains on the validation clips."""
    reused: bool
    seconds: float = 0.0
    """Time that the epoch took with its validation."""

    @property
    def in_refit(self) -> bool:
        """Return True if the stage trains on the validation clips."""
        return math.isnan(self.accuracy)


@dataclass(frozen=True, slots=True)
class StageEnd:
    """A trial trained a stage to its end."""

    stage: str
    accuracy: float


@dataclass(frozen=True, slots=True)
class StageReused:
    """A trial read a stage with all its epochs from the stage store."""

    stage: str
    num_epochs: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class StageWait:
    """A stage waits for another trial that computes it, or for free cores."""

    stage: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Facts of a complete trial that the study keeps."""

    kept_pass: int
    parameters: int
    multiply_adds: int
    stages: tuple[str, ...]
    """Stage keys, in order."""
    epochs_reused: int
    epochs_computed: int
    seconds_computed: float = 0.0
    accuracy: float | None = None
    """Validation accuracy of the kept pass."""
    interval: str = ""
    """95% interval of that accuracy, as text."""
    chain_multiply_adds: tuple[int, ...] = ()
    """Multiply-adds after pass 2 and after every pruning pass."""
    right_clips: str = ""
    """Of a confirmation; see `autohier.records.schema.TrialRow`."""
    stage_epochs_reused: tuple[int, ...] = ()
    """Number of reused epochs of every stage, in order; empty if an older version wrote it."""


@dataclass(frozen=True, slots=True)
class TrialComplete:
    """A trial trained its whole chain."""

    chain: tuple[float, ...]
    """Validation accuracy of pass 2 and of every pruning pass."""
    rungs: tuple[tuple[int, float], ...]
    """Step and value at every rung, in order."""
    facts: TrialFacts
    rung_multiply_adds: tuple[int | None, ...] = ()
    """Multiply-adds at every rung; None unless the sweep minimizes them."""


@dataclass(frozen=True, slots=True)
class TrialStopped:
    """The scheduler stopped a trial at a rung."""

    chain: tuple[float, ...]
    rungs: tuple[tuple[int, float], ...]
    reason: str
    stages: tuple[str, ...] = ()
    """Keys of its finished stages, in order."""
    epochs_reused: int = 0
    """Number of epochs of its finished stages that it did not train itself."""
    epochs_computed: int = 0
    """Number of epochs that it trained, in finished and unfinished stages."""
    seconds_computed: float = 0.0
    chain_multiply_adds: tuple[int, ...] = ()
    """Multiply-adds after the passes of the chain."""
    rung_multiply_adds: tuple[int | None, ...] = ()
    """See `TrialComplete`."""
    stage_epochs_reused: tuple[int, ...] = ()
    """See `TrialFacts`."""


@dataclass(frozen=True, slots=True)
class TrialFailed:
    """A trial raised an error."""

    reason: str
    failure: FailureClass
    traceback: str
    epochs_computed: int = 0
    """Number of epochs that it trained before it failed."""
    seconds_computed: float = 0.0


TrialEnd = TrialComplete | TrialStopped | TrialFailed
Message = EpochEnd | StageEnd | StageReused | StageWait | TrialEnd
StageMessage = EpochEnd | StageWait
"""Messages of a stage outside the trials."""


_TYPES: dict[str, type[Any]] = {each.__name__: each for each in get_args(Message)}


def to_dict(message: Message) -> dict[str, Any]:
    """Return a message as JSON values, with the name of its type under ``type``."""
    return {"type": type(message).__name__, **asdict(message)}


def from_dict(content: Mapping[str, Any]) -> Message:
    """Return the message that `to_dict` wrote.

    Raises:
        ValueError: if the content is no message.
    """
    values = dict(content)
    message_type = _TYPES.get(values.pop("type", ""))
    if message_type is None:
        raise ValueError(f"a message must name one of the types {', '.join(_TYPES)}, but got {content}")
    if "chain" in values:
        values["chain"] = tuple(values["chain"])
        values["rungs"] = tuple((step, value) for step, value in values["rungs"])
    lists = {"stages", "chain_multiply_adds", "rung_multiply_adds", "stage_epochs_reused"}
    for name in lists & values.keys():
        values[name] = tuple(values[name])
    if "facts" in values:
        facts: dict[str, Any] = values["facts"]
        values["facts"] = TrialFacts(**{name: _immutable(fact) for name, fact in facts.items()})
    try:
        message: Message = message_type(**values)
    except TypeError as error:
        raise ValueError(f"a {message_type.__name__} must have its fields, but got {content}") from error
    return message


def _immutable(value: Any) -> Any:  # noqa: ANN401  of any field
    return tuple(value) if isinstance(value, list) else value


def to_report(messages: Iterable[Message]) -> dict[str, Any]:
    """Return a report for Ray Tune that carries messages in order, marked as the last one by a `TrialEnd`."""
    messages = list(messages)
    report: dict[str, Any] = {_KEY: json.dumps([to_dict(message) for message in messages])}
    if any(isinstance(message, TrialEnd) for message in messages):
        report["done"] = True
    return report


def from_report(report: Mapping[str, Any] | None) -> tuple[Message, ...]:
    """Return the messages of a report; none if Ray Tune has no report of the trial."""
    return tuple(from_dict(content) for content in json.loads((report or {}).get(_KEY, "[]")))
