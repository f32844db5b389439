"""Files that cannot be read, told by the rule that they break: how many, which, what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.checking_samples import Kind, SampleFault

_NUM_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class FaultGroup:
    """All files that break one rule.

    Attributes:
        kind: what they should hold.
        rule: what must hold.
        num_clips: how many break it.
        examples: at most three of them, as path or clip and what broke the rule.
        remedy: what to do about them.
    """

    kind: Kind
    rule: str
    num_clips: int
    examples: tuple[str, ...]
    remedy: str


def group_faults(
    faults: Sequence[SampleFault], source: Path, remedies: Mapping[Kind, str]
) -> tuple[FaultGroup, ...]:
    """Faults by the rule that they break, the most frequent first.

    Args:
        faults: of single files.
        source: where the dataset lies; where that is a file, clips are named instead of it.
        remedies: what to do where the reader does not know better.
    """
    groups: dict[tuple[Kind, str], list[SampleFault]] = defaultdict(list)
    for fault in faults:
        groups[fault.kind, fault.rule].append(fault)
    return tuple(
        FaultGroup(
            kind=kind,
            rule=rule,
            num_clips=len(group),
            examples=tuple(_example(fault, source) for fault in group[:_NUM_EXAMPLES]),
            remedy=group[0].remedy or remedies[kind],
        )
        for (kind, rule), group in sorted(groups.items(), key=lambda item: -len(item[1]))
    )


def _example(fault: SampleFault, source: Path) -> str:
    name = fault.clip_id if fault.path in {None, source} else str(fault.path)
    return f"{name} ({fault.got})" if fault.got else name
