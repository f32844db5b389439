"""Unreadable files, grouped by the rule that they break."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.validate.samples import Kind, SampleFault

_NUM_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class FaultGroup:
    """All files that break one rule.

    Attributes:
        kind: expected content of the files.
        rule: the broken rule.
        num_clips: number of clips that break it.
        examples: at most three of them, each as path or clip id and the value that broke the rule.
        hint: how to fix them.
    """

    kind: Kind
    rule: str
    num_clips: int
    examples: tuple[str, ...]
    hint: str


def group_faults(
    faults: Sequence[SampleFault], source: Path, hints: Mapping[Kind, str]
) -> tuple[FaultGroup, ...]:
    """Group faults by the rule that they break, most frequent first.

    Args:
        faults: faults of single files.
        source: folder or file of the dataset; if it is a file, examples name clips instead of paths.
        hints: how to fix each kind of file, for faults without a hint of their own.
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
            hint=group[0].hint or hints[kind],
        )
        for (kind, rule), group in sorted(groups.items(), key=lambda item: -len(item[1]))
    )


def _example(fault: SampleFault, source: Path) -> str:
    name = fault.clip_id if fault.path in {None, source} else str(fault.path)
    return f"{name} ({fault.got})" if fault.got else name
