"""Default split of clips that no list and no table divides: by subjects if they are known, else at random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from autohier.data.protocols import Protocol
from autohier.data.unknown_subjects import are_mostly_unknown
from autohier.digest import derive_seed

_TEST_SHARE: Final = 0.2


def default_split(
    labels: Sequence[str], subjects: Sequence[int], *, are_stated: bool = False
) -> tuple[Protocol, list[tuple[str, ...]]]:
    """Return the evaluation protocol of clips, and the lists that contain each clip.

    - If there are at least two subjects, which the user states or most clips share with others:
      cross-subject. Every second subject tests.
    - Else: random. A fifth of each class tests, sampled with a fixed seed; subjects stay whole.

    Args:
        labels: the class of every clip.
        subjects: the subject of every clip.
        are_stated: True if the user states the subjects.
    """
    distinct = sorted(set(subjects))
    if len(distinct) > 1 and (are_stated or not are_mostly_unknown(subjects)):
        rule = Protocol("cross-subject", "subject", tuple(distinct[::2]), tuple(distinct[1::2]))
        return rule, [()] * len(labels)
    units = subjects if len(distinct) > 1 else range(len(labels))
    tests = _sample_tests(labels, units)
    rule = Protocol("random", "parts", ("train",), ("test",))
    return rule, [("test",) if unit in tests else ("train",) for unit in units]


def _sample_tests(labels: Sequence[str], units: Sequence[int]) -> set[int]:
    """Return the units that test, a fifth of those of each class.

    Args:
        labels: the class of every clip.
        units: what stays whole, for every clip: its subject or the clip. Its first clip decides on its class.
    """
    by_label: dict[str, list[int]] = defaultdict(list)
    for unit, label in dict(zip(reversed(units), reversed(labels), strict=True)).items():
        by_label[label].append(unit)
    tests: set[int] = set()
    for label, own in by_label.items():
        num_tests = max(1, round(_TEST_SHARE * len(own))) if len(own) > 1 else 0
        rng = np.random.default_rng(derive_seed(0, "custom test clips", label))
        tests.update(rng.choice(sorted(own), num_tests, replace=False).tolist())
    return tests
