"""Scaling: the speed of a stage on several accelerators, and the number up to which more of them pay."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, PositiveFloat, PositiveInt

from autohier.config.frozen import FrozenModel
from autohier.errors import InputError

MEASURE: Final = "measure"
"""Text that has a sweep measure the scaling on its machines."""
_PAYS: Final = 0.9
"""Largest share of a step's time on fewer accelerators that a step on more may take, so that they pay."""
_PATTERN = re.compile(r"(\d+)(?::(\d*\.?\d+))?")


@dataclass(frozen=True, slots=True)
class Scaling:
    """Scaling of data-parallel training: part of a step takes equally long on any number of accelerators.

    Amdahl's law: with a serial share s of the time on one accelerator, w accelerators take (1 - s) / w + s of
    it. Their efficiency, speed-up / w, is 1 / (1 + s (w - 1)).
    """

    max_width: int
    """Largest number of accelerators on which a stage is trained."""
    efficiency: float
    """Speed-up on that many accelerators, divided by their number."""

    @property
    def serial_share(self) -> float:
        """Share of the time on one accelerator that more accelerators do not shorten."""
        return (1 / self.efficiency - 1) / (self.max_width - 1) if self.max_width > 1 else 0.0

    def duration(self, width: int) -> float:
        """Return the time on some accelerators, relative to the time on one."""
        return (1 - self.serial_share) / width + self.serial_share

    def __str__(self) -> str:
        return f"{self.max_width}:{self.efficiency:g}"


class MeasuredScaling(FrozenModel):
    """Time of a training step by the number of accelerators, on machines that it was measured on."""

    machines: str
    """Machines and accelerators, as text; another text needs another measurement."""
    step_s: Annotated[dict[PositiveInt, PositiveFloat], Field(min_length=1)]
    """Seconds of a step by the number of accelerators, ascending."""

    @property
    def pays(self) -> bool:
        """True if the largest number pays: a step takes at least a tenth less time than on the one before."""
        return len(self._paying) == len(self.step_s)

    @property
    def scaling(self) -> Scaling:
        """Scaling up to the last number that pays."""
        width = self._paying[-1]
        return Scaling(width, self.efficiency(width))

    def efficiency(self, width: int) -> float:
        """Return the speed-up on some accelerators, divided by their number; at most 1."""
        fewest = min(self.step_s)
        return min(1.0, self.step_s[fewest] * fewest / (self.step_s[width] * width))

    @property
    def _paying(self) -> list[int]:
        widths = list(self.step_s)
        for position in range(1, len(widths)):
            if self.step_s[widths[position]] > _PAYS * self.step_s[widths[position - 1]]:
                return widths[:position]
        return widths

    def __str__(self) -> str:
        fewest, *more = self.step_s
        noun = "accelerator" if fewest == 1 else "accelerators"
        texts = [f"{_time_text(self.step_s[fewest])} on {fewest} {noun}"]
        texts += [
            f"{_time_text(self.step_s[width])} on {width} ({self.efficiency(width):.0%})" for width in more
        ]
        return f"a training step takes {', '.join(texts)}"


def _time_text(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def check_scaling(text: str) -> str:
    """Return ``measure``, or a text that `parse_scaling` can read; raises its error for another one."""
    if text != MEASURE:
        parse_scaling(text)
    return text


def parse_scaling(text: str) -> Scaling:
    """Read ``WIDTH:EFFICIENCY``, e.g. ``8:0.8``: 8 accelerators train a stage 8 x 0.8 = 6.4 times as fast.

    Raises:
        InputError: if the text has another form, the width is below 1, or the efficiency is not above
            1 / width, with which one accelerator would be as fast, and at most 1.
    """
    match = _PATTERN.fullmatch(text.strip())
    width, efficiency = (int(match[1]), float(match[2] or 1)) if match else (0, 0.0)
    if width >= 1 and (1 / width < efficiency <= 1 or (width == 1 and efficiency == 1)):
        return Scaling(width, efficiency)
    raise InputError(
        "--scaling must be WIDTH:EFFICIENCY, with a width of at least 1 and an efficiency above 1 / WIDTH",
        got=text,
        hint="write --scaling 8:0.8 if 8 accelerators train a stage 8 x 0.8 = 6.4 times as fast as one; "
        f"'autohier search --scaling {MEASURE}' measures it",
    )
