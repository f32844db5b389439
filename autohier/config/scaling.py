"""Scaling: the speed of a stage on several accelerators, and the number up to which more of them pay."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autohier.errors import InputError

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


def check_scaling(text: str) -> str:
    """Return a text that `parse_scaling` can read, as it is; raises its error for another one."""
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
        hint="write --scaling 8:0.8 if 8 accelerators train a stage 8 x 0.8 = 6.4 times as fast as one",
    )
