"""Agreement of the best trial's superclasses with reference superclasses."""

from __future__ import annotations

import pytest

from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.records.rows import stage_rows
from autohier.records.trial_rows import complete_row
from autohier.reports.trials.agreement import agreement_text, best_agreement
from support.fakes.fake_outcomes import MINUTE, START, fake_outcome, fake_row


def _records() -> Records:
    best, other = fake_outcome(72, (90,)), fake_outcome(72, (60,))
    return Records(
        trials=(
            complete_row(fake_row("t0000"), other, START + MINUTE),
            complete_row(fake_row("t0001"), best, START + MINUTE),
        ),
        stages=stage_rows("t0001", best.stages),
    )


def test_equal_levels_agree_under_any_numbering() -> None:
    # The best trial's levels are k % 2 and k % 4.
    reference = {2: [1 - k % 2 for k in range(12)], 4: [k % 4 for k in range(12)]}
    two, four = best_agreement(_records(), reference)
    assert (two.num_superclasses, two.num_reference, two.adjusted_rand) == (2, 2, 1.0)
    assert (four.num_superclasses, four.num_reference, four.adjusted_rand) == (4, 4, 1.0)


def test_a_level_is_compared_with_the_nearest_count_by_ratio() -> None:
    reference = {3: [k % 3 for k in range(12)], 6: [k % 6 for k in range(12)]}
    levels = best_agreement(_records(), reference)
    # log(3/2) < log(6/2), and log(4/3) < log(6/4).
    assert [level.num_reference for level in levels] == [3, 3]
    # k % 2 against k % 3: all six pairs of groups share 2 classes, so 6 pairs are together in both;
    # 30 * 18 / 66 are expected by chance, and at most (30 + 18) / 2 are possible.
    expected = 30 * 18 / 66
    assert levels[0].adjusted_rand == pytest.approx((6 - expected) / (24 - expected))


def test_without_a_complete_trial_there_is_no_agreement() -> None:
    assert best_agreement(Records(trials=(fake_row(),)), {2: [0] * 12}) == ()


def test_a_missing_reference_is_rejected() -> None:
    with pytest.raises(InputError, match="needs at least one reference level"):
        best_agreement(_records(), {})


def test_a_reference_of_other_classes_is_rejected() -> None:
    with pytest.raises(InputError, match="same classes"):
        best_agreement(_records(), {2: [0, 1]})


def test_lost_stages_agree_with_nothing() -> None:
    records = Records(trials=_records().trials)
    assert best_agreement(records, {2: [k % 2 for k in range(12)]}) == ()
    assert agreement_text(records, {2: [k % 2 for k in range(12)]}) == ""
