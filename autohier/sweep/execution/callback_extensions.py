"""Trial callbacks that installed packages offer, e.g. to log a sweep in another tool.

A package offers one through an entry point in the group ``autohier.callbacks``; ``--callback NAME`` uses it.
Its builder is called in the trial's process with the name of the trial, the folder of the sweep and the
trial's config, and returns a `TrialCallback`. If that has a method ``close``, the trial calls it at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.errors import InputError
from autohier.extensions import Registry

CALLBACKS: Final = Registry("autohier.callbacks", "callback", {})


def check_callbacks(names: Iterable[str]) -> None:
    """Check that installed packages offer these callbacks.

    Raises:
        InputError: if a name is unknown, or its builder cannot be imported.
    """
    for name in names:
        CALLBACKS.find(name).load()


@contextmanager
def open_callbacks(
    names: Sequence[str], trial: str, sweep_folder: Path, config: TrialConfig
) -> Iterator[tuple[TrialCallback, ...]]:
    """Build the callbacks of one trial, in order, and close them when the block ends.

    Raises:
        InputError: if a name is unknown on this machine, or its builder returns something else.
    """
    with ExitStack() as stack:
        callbacks: list[TrialCallback] = []
        for name in names:
            callback = CALLBACKS.find(name).load()(trial, sweep_folder, config)
            if not isinstance(callback, TrialCallback):
                raise InputError(
                    f"the builder of callback {name!r} must return a TrialCallback",
                    got=type(callback).__name__,
                    hint="fix its package",
                )
            close = getattr(callback, "close", None)
            if close is not None:
                stack.callback(close)
            callbacks.append(callback)
        yield tuple(callbacks)
