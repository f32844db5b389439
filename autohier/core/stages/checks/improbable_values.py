"""Values of a search space that are possible and probably not meant, e.g. a learning rate of 1e3 for 1e-3."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class _Usual:
    """Usual range of a setting: far wider than that of published recipes, and narrower than slips."""

    low: float
    high: float
    is_count: bool = False

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def text(self) -> str:
        return f"{self.low:g} to {self.high:g}"


_RATES: Final = {"adam": _Usual(1e-7, 0.1), "sgd": _Usual(1e-6, 5)}
_EPOCHS, _SHARE = _Usual(1, 1000, is_count=True), _Usual(0, 0.5)
_USUAL: Final[Mapping[str, _Usual]] = {
    "pass_1.epochs": _EPOCHS,
    "pass_2.epochs": _EPOCHS,
    "pruning.epochs": _EPOCHS,
    "optimisation.weight_decay": _Usual(0, 0.1),
    "optimisation.momentum": _Usual(0, 0.995),
    "optimisation.clip_norm": _Usual(1e-3, 1e4),
    "optimisation.dropout": _Usual(0, 0.9),
    "optimisation.label_smoothing": _SHARE,
    "optimisation.repeats": _Usual(1, 100, is_count=True),
    "optimisation.lr_patience": _Usual(1, 100, is_count=True),
    "optimisation.warmup_epochs": _Usual(0, 100, is_count=True),
    "recognizer.width": _Usual(1 / 64, 4),
    "recognizer.num_blocks": _Usual(1, 20, is_count=True),
    "recognizer.num_frames_seen": _Usual(1, 99, is_count=True),
    "clips.num_frames": _Usual(1, 1000, is_count=True),
    "clips.num_persons": _Usual(1, 20, is_count=True),
    "clips.test_sets": _Usual(1, 30, is_count=True),
    "clips.resize_px": _Usual(8, 1024, is_count=True),
    "clips.size_px": _Usual(8, 256, is_count=True),
    "clips.scaling": _SHARE,
    "clips.joint_drop": _SHARE,
    "protocol.num_folds": _Usual(2, 20, is_count=True),
    "search.ratios": _SHARE,
    "search.weight_ratios": _Usual(0.01, 100),
    "search.max_passes": _Usual(0, 30, is_count=True),
    "search.max_seeds": _Usual(1, 20, is_count=True),
    "search.reduction_factor": _Usual(1, 32),
}
_PARAMS: Final = {
    "search.ratios": "ratio",
    "search.weight_ratios": "weight_ratio",
    "search.max_passes": "passes",
}
"""Hyperparameters that lists of the search are sampled for."""
_RATE_NAMES: Final = ("optimisation.learning_rate", "pass_2.learning_rate", "pruning.learning_rate")
_POWERS: Final = (100, 10, 1000, 10_000)
"""Factors of probable slips: a percentage for a share first, then a decimal point in the wrong place."""


def improbable_values(
    space: SearchSpace, searched: Mapping[str, tuple[object, ...]], params: Hyperparameters | None = None
) -> Iterator[str]:
    """Yield a warning for each number of a space, or of one config of it, that is outside its usual range.

    Args:
        space: with a variant applied.
        searched: values of the searched settings, by dotted name.
        params: hyperparameters of the only config that is run; the lists of the search do not count then.
    """
    usual = {**_USUAL, **dict.fromkeys(_RATE_NAMES, _RATES[space.optimisation.optimizer])}
    for name, own in usual.items():
        if params is not None and name.startswith("search."):
            if name in _PARAMS and not own.holds(value := getattr(params, _PARAMS[name])):
                yield _text(_PARAMS[name], value, own, is_listed=False)
            continue
        group, _, field = name.partition(".")
        fixed = getattr(getattr(space, group), field, None)
        values = searched.get(name, fixed if isinstance(fixed, tuple) else (fixed,))
        for value in values:
            if isinstance(value, int | float) and not own.holds(value):
                is_listed = name in searched or isinstance(fixed, tuple)
                yield _text(name, value, own, is_listed=is_listed)


def _text(name: str, value: float, usual: _Usual, *, is_listed: bool) -> str:
    intended = _intended(value, usual)
    meant = "" if intended is None else f"; was {intended:g} meant?"
    nearest = usual.high if value > usual.high else usual.low
    fix = f"--set {name}={nearest if intended is None else intended:g}"
    if is_listed:
        fix = f"correct it in {name if name.startswith('search.') else f'search.settings, {name}'}"
    return (
        f"{name} = {value:g} is outside its usual range, {usual.text}{meant}\n"
        f"  fix: {fix}, unless the value is meant"
    )


def _intended(value: float, usual: _Usual) -> float | None:
    """Return the usual value that was probably meant, if any: 1e-3 for 1e3, or with another decimal point.

    A value within 1% of the end of the range, e.g. a momentum of 0.999, is no such slip.
    """
    if usual.high < value <= 1.01 * usual.high:
        return None
    moved = [value / power if value > usual.high else value * power for power in _POWERS]
    if usual.is_count:
        return next((each for each in moved if usual.holds(each) and each == round(each)), None)
    is_power = value > 0 and math.log10(value).is_integer()
    return next((each for each in [*([1 / value] if is_power else []), *moved] if usual.holds(each)), None)
