"""Epochs that a trial trained before its process or its driver ended.

When the trial runs again, it finds them in the stage store or in a checkpoint, like those of other trials;
its records must count them as trained by itself. So each trial notes its epochs in a text file of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.files import check_file, open_regular

_LOG = logging.getLogger(__name__)

_STARTED, _OWN, _OTHER, _ENDED = "started", "own", "other", "ended"
_NUM_WORDS = {_STARTED: 3, _ENDED: 3, _OWN: 4, _OTHER: 4}

_Epoch = tuple[str, int, int]
"""Kind of the stage, index of the pass, and number of the epoch."""


def own_epochs_file(records: Path, trial: str) -> Path:
    """Return the file of a trial's notes in a records folder."""
    return records / "own-epochs" / f"{trial}.txt"


class OwnEpochs:
    """The notes of one trial: those of its earlier processes, to which it adds its own.

    Args:
        path: file of the notes; None keeps none.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._has_failed = False
        self._earlier = frozenset(_read(path)) if path is not None else frozenset()

    def has(self, kind: StageKind, pass_index: int, epoch: int) -> bool:
        """Return True if an earlier process of the trial trained an epoch."""
        return (kind.name, pass_index, epoch) in self._earlier

    def note_start(self, kind: StageKind, pass_index: int) -> None:
        """Note that the trial trains a stage from its start, or from its checkpoint."""
        self._note(_STARTED, kind, pass_index)

    def note_epoch(self, kind: StageKind, pass_index: int, epoch: int, *, own: bool) -> None:
        """Note an epoch of the stage that the trial trains; False for one that others trained."""
        self._note(_OWN if own else _OTHER, kind, pass_index, epoch)

    def note_end(self, kind: StageKind, pass_index: int) -> None:
        """Note that the stage is finished."""
        self._note(_ENDED, kind, pass_index)

    def credit(self, result: StageResult) -> StageResult:
        """Return a stage's result in which epochs of earlier processes do not count as reused."""
        if isinstance(result, FoldedResult):
            firsts = _firsts(result.folds)
            folds = [self._credit(fold, first) for fold, first in zip(result.folds, firsts, strict=True)]
            return FoldedResult.of(folds)
        return self._credit(result, 0)

    def _credit(self, result: StageResult, first: int) -> StageResult:
        num_own = sum(
            self.has(result.kind, result.pass_index, first + i) for i in range(result.epochs_reused)
        )
        if not num_own:
            return result
        return replace(result, reused=False, num_restored=result.epochs_reused - num_own)

    def _note(self, event: str, kind: StageKind, *numbers: int) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                check_file(self._path)
            with self._path.open("a") as file:
                file.write(" ".join([event, kind.name, *map(str, numbers)]) + "\n")
        except OSError as error:  # epochs would count as reused; that must not end a trial
            if self._has_failed:
                return
            self._has_failed = True
            _LOG.warning("cannot note the epochs of a trial in %s: %s", self._path, error)


def _firsts(folds: tuple[StageResult, ...]) -> Iterator[int]:
    """Yield the number of each fold's first epoch in the row of all folds' epochs."""
    for index, fold in enumerate(folds):
        yield index * len(fold.epochs)


def _read(path: Path) -> Iterator[_Epoch]:
    """Yield the trial's own epochs, including one that it was training when it ended.

    The checkpoint of that epoch may have been written, and its note not.
    """
    unfinished: dict[tuple[str, int], int] = {}
    for event, kind, pass_index, *rest in _lines(path):
        stage = (kind, int(pass_index))
        if event == _STARTED:
            # The stage may have restarted: then it trains its first epoch again.
            unfinished[stage] = 0
        elif event == _ENDED:
            unfinished.pop(stage, None)
        else:
            unfinished[stage] = int(rest[0]) + 1
            if event == _OWN:
                yield *stage, int(rest[0])
    yield from ((*stage, epoch) for stage, epoch in unfinished.items())


def _lines(path: Path) -> Iterator[list[str]]:
    """Yield the words of each whole line; a line may be cut at the end, where a process was killed."""
    try:
        with open_regular(path) as file:
            lines = file.read().decode(errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return
    except OSError as error:
        _LOG.warning("cannot read the epochs that a trial trained before in %s: %s", path, error)
        return
    for line in lines:
        words = line.split()
        if words and len(words) == _NUM_WORDS.get(words[0]) and all(word.isdecimal() for word in words[2:]):
            yield words
