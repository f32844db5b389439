"""Parts of a preparation that several machines share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from autohier.errors import InputError


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a preparation. Parts may run on different machines and write into one folder.

    Attributes:
        number: 1-based number of the part.
        num_parts: number of parts.
    """

    number: int = 1
    num_parts: int = 1

    @classmethod
    def parse(cls, text: str) -> Part:
        """Parse a part as a user writes it, e.g. "3/8".

        Raises:
            InputError: if the text is not of this form or the number is above the number of parts.
        """
        match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
        if not match or int(match[1]) > int(match[2]):
            raise InputError(
                "a part must be written as NUMBER/COUNT, e.g. 3/8", got=repr(text), hint="count parts from 1"
            )
        return cls(int(match[1]), int(match[2]))

    def contains(self, shard: int) -> bool:
        """Return True if the shard with this 0-based index belongs to the part."""
        return shard % self.num_parts == self.number - 1


WHOLE_DATASET: Final = Part()
