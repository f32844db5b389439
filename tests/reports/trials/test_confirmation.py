"""The report of a confirmation: nominees, paired gains, and what is claimed."""

from __future__ import annotations

from dataclasses import replace

from autohier.records.reader import Records
from autohier.records.schema import TrialRow
from autohier.records.trial_rows import complete_row
from autohier.reports.sweeps.report import sweep_report
from autohier.reports.trials.confirmation import confirmation_text
from autohier.sweep.choice.confirmation import controls, kept_params
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_outcome, fake_row

RIGHT = 60
"""Of 100 clips, those that the flat recognizer has right."""


def bits(number: int) -> str:
    return "1" * number + "0" * (100 - number)


def confirmed(gains: dict[str, int], run_sd: float) -> Records:
    """Return a sweep of two trials, of which t0000 was confirmed with two seeds; gains are in clips."""
    best = complete_row(fake_row("t0000", PARAMS), fake_outcome(72, (60, 66)), START + MINUTE)
    other_params = PARAMS.model_copy(update={"weight_ratio": 1.0})
    other = complete_row(fake_row("t0001", other_params), fake_outcome(72, (60,)), START + MINUTE)
    best = replace(best, trial_index=0)
    own = kept_params(best)
    configs = {"nominee": own, **controls(own)}
    rows: list[TrialRow] = []
    for seed in (11, 12):
        for role, params in configs.items():
            number = RIGHT + gains[role]
            row = complete_row(fake_row("c0", params, seed=seed), fake_outcome(72, (60,)), START + MINUTE)
            row = replace(row, number=None, trial_index=None, role=role, confirms="t0000")
            rows.append(replace(row, accuracy=number / 100, right_clips=bits(number)))
    trials = (best, other, *(replace(row, trial=f"c{index:04d}") for index, row in enumerate(rows)))
    return Records(trials=trials, confirmed="t0000", run_sd=run_sd)


def test_gains_are_paired_and_claimed_if_their_interval_is_above_zero() -> None:
    text = confirmation_text(confirmed({"nominee": 20, "control": 20, "flat": 0}, run_sd=0.001))
    assert "confirmation with 2 fresh seeds" in text
    assert "t0000: mean 80.0% (80.0%, 80.0%), in the search 55.0%; confirmed as the best" in text
    # 20 of 100 clips change: standard error sqrt(.16 / 99) = .0402, half width 7.9 points.
    assert "hierarchy +20.0 (+12.1 to +27.9; clips ±7.9, seeds ±0.2)" in text
    assert "pruning +0.0 (-0.2 to +0.2; clips ±0.0, seeds ±0.2)" in text
    assert text.endswith("gains shown: hierarchy, both")


def test_a_winner_with_a_lower_mean_is_not_called_the_best() -> None:
    """The first initial config may win though another had more luck, or was better, with the fresh seeds."""
    records = confirmed({"nominee": 20, "control": 20, "flat": 0}, run_sd=0.001)
    better = tuple(
        replace(row, trial=f"c1{row.trial[1:]}", confirms="t0001", accuracy=0.9)
        for row in records.trials
        if row.role == "nominee"
    )
    records = replace(records, trials=(*records.trials, *better))
    together = confirmation_text(records)
    assert "t0001: mean 90.0% (90.0%, 90.0%), in the search" in together
    assert "55.0%; wins by the search and these seeds together\n" in together
    first = replace(records.trials[0], source="initial config")
    text = confirmation_text(replace(records, trials=(first, *records.trials[1:])))
    assert "; wins as the first initial config, because no other is better with enough certainty\n" in text
    assert "confirmed as the best" not in together + text


def test_the_interval_against_the_first_config_is_that_of_the_best_nominee() -> None:
    records = confirmed({"nominee": 20, "control": 20, "flat": 0}, run_sd=0.001)
    winner = replace(records.trials[0], trial_index=1)
    first = replace(records.trials[1], trial_index=0, source="initial config")
    runs = [
        replace(
            complete_row(
                fake_row(f"c001{seed}", kept_params(first), seed=seed), fake_outcome(72, (60,)), START
            ),
            number=None,
            trial_index=None,
            role="nominee",
            confirms="t0001",
            accuracy=0.6,
            right_clips=bits(60),
        )
        for seed in (11, 12)
    ]
    text = confirmation_text(replace(records, trials=(winner, first, *records.trials[2:], *runs)))
    # Two nominees: the normal distribution's quantile of 98.75% is 2.2414, and 2.2414 * .0402 = 9.0 points.
    assert "against the first config, t0001 +20.0 (+11.0 to +29.0; clips ±9.0, seeds ±0.3)" in text
    # The controls are not among those from which the winner was chosen.
    assert "hierarchy +20.0 (+12.1 to +27.9; clips ±7.9, seeds ±0.2)" in text


def test_a_gain_within_noise_is_not_claimed() -> None:
    text = confirmation_text(confirmed({"nominee": 3, "control": 1, "flat": 0}, run_sd=0.04))
    assert "pruning +2.0 (" in text
    assert text.endswith("gains shown: none, all are within noise")


def test_an_undecided_confirmation_claims_nothing() -> None:
    records = replace(confirmed({"nominee": 3, "control": 1, "flat": 0}, run_sd=0.04), confirmed=None)
    assert confirmation_text(records).endswith("not decided yet")
    assert confirmation_text(Records()) == ""
    assert sweep_report(records) is not None


def test_what_exceeds_the_bound_is_shown_apart() -> None:
    records = confirmed({"nominee": 20, "control": 20, "flat": 0}, run_sd=0.001)
    assert "bound" not in confirmation_text(records)
    # Fresh runs of a network pruned once have 1 G; the controls, unpruned, have 2 G.
    pruned = fake_outcome(72, (60, 66)).chain[1].cost.multiply_adds
    rows = [replace(row, multiply_adds=pruned) if row.role == "nominee" else row for row in records.trials]
    winner, first = replace(rows[0], trial_index=1), replace(rows[1], trial_index=0, source="Table 1")
    bounded = replace(records, trials=(winner, first, *rows[2:]), max_multiply_adds=1_500_000_000)
    *_, controls_line, first_line = confirmation_text(bounded).splitlines()
    assert controls_line == (
        "exceed the bound of 1.5 G multiply-adds: the control with 2 G, the flat control with 2 G"
    )
    assert first_line == (
        "the first config, t0001, exceeds the bound of 1.5 G multiply-adds, so it was not confirmed"
    )
