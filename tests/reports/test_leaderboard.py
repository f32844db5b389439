"""The leaderboard's text, and that it says no more than the clips can tell."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from autohier.core.training.metrics import Evaluation
from autohier.records.reader import Records
from autohier.records.rows import complete_row, cut_short_row, reading_row
from autohier.records.schema import TrialRow
from autohier.reports.leaderboard import (
    NOTHING_YET,
    best_setting,
    leaderboard,
    reading_text,
    report,
    three_steps,
)
from autohier.settings.choice import Choice
from fake_outcomes import CHOICE, MINUTE, START, fake_confusion, fake_outcome, fake_row

GOLDEN = Path(__file__).parent / "golden" / "leaderboard.txt"
ACCEPT = "AUTOHIER_ACCEPT_GOLDEN"


def _text(renderable: RenderableType, *, width: int = 120) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _complete(
    trial: str, pass_1: int, chain: tuple[int, ...], choice: Choice = CHOICE, *, seed: int = 0
) -> TrialRow:
    return complete_row(fake_row(trial, choice, seed=seed), fake_outcome(pass_1, chain), START + MINUTE)


def _other(ratio: float) -> Choice:
    return CHOICE.model_copy(update={"ratio": ratio})


def _sweep() -> Records:
    # Of 120 clips, kept passes have 96, 90 and 60 right; one trial is running, one stopped, one failed.
    best = _complete("t0001", 72, (90, 93, 96))
    reading = reading_row(best, "prune 2", Evaluation(1.0, (0.9, 0.75), fake_confusion(90)), START + MINUTE)
    deeper = fake_row("t0003", CHOICE.model_copy(update={"superclasses": (3, 6), "ratio": 0.125}))
    trials = (
        _complete("t0000", 72, (90, 84), _other(0.05)),
        best,
        _complete("t0002", 50, (60,), _other(0.15)),
        deeper,
        cut_short_row(fake_row("t0004"), "PRUNED", reason="behind the median", at=START + MINUTE),
        cut_short_row(fake_row("t0005"), "FAIL", reason="loss is not a number", at=START + MINUTE),
    )
    return Records(trials=trials, tests=(reading,))


def test_a_setting_counts_as_the_mean_of_its_seeds() -> None:
    # Of 120 clips: the first setting has 96 and 84 right, 75% on average; the second 93, 77.5%.
    lucky = [_complete("t0000", 72, (96,)), _complete("t0001", 72, (84,), seed=1)]
    records = Records(trials=(*lucky, _complete("t0002", 72, (93,), _other(0.05))))
    assert [row.trial for row in records.ranked()] == ["t0002", "t0000", "t0001"]
    assert records.seeds_of(lucky[0]) == (0.8, 0.7)
    rows = _text(leaderboard(records), width=160).splitlines()
    assert sum("75.0% of 2" in row for row in rows) == 2


def test_the_report_reads_as_agreed() -> None:
    text = _text(report(_sweep()))
    if os.environ.get(ACCEPT):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), (
        f"the report has changed; if it is meant to, run `{ACCEPT}=1 pytest {Path(__file__).name}` "
        f"and commit {GOLDEN.name}"
    )


def test_trials_come_best_first_and_noise_is_marked() -> None:
    # 96 of 120 is 80%, interval 72.0 to 86.2: 90 of 120 (75%) lies inside, 60 of 120 (50%) does not.
    lines = [line for line in _text(leaderboard(_sweep())).splitlines() if "t000" in line]
    first_words = [line.split()[:2] for line in lines]
    assert first_words[0] == ["1", "t0001"]
    assert first_words[1] == ["≈", "2"]
    assert first_words[2] == ["3", "t0002"]
    assert [words[1] for words in first_words[3:]] == ["running", "stopped", "failed"]
    assert "1 trial is within noise of the best" in _text(leaderboard(_sweep()))


def test_the_title_names_protocol_and_validation() -> None:
    records = _sweep()
    assert "protocol cross-subject, clean validation" in _text(leaderboard(records))
    paper = Records(trials=tuple(replace(row, validation="paper") for row in records.trials))
    assert "a tenth of the test split" in _text(leaderboard(paper))


def test_a_limit_says_what_it_hides() -> None:
    text = _text(leaderboard(_sweep(), limit=2))
    assert "2 of 6 trials are shown" in text
    assert "t0001" in text
    assert "t0002" not in text


def test_three_steps_tell_gains_noise_and_cost() -> None:
    # Pass 1 60%, pass 2 75% (its interval starts at 66.6%: no noise), pruned twice 80% (noise). The fakes'
    # passes take 100 k parameters each and halve the multiply-adds.
    assert three_steps(_sweep()) == (
        "validation: pass 1 60.0% -> pass 2 75.0% (+15.0 points) -> "
        "pruned (2 passes) 80.0% (+5.0 points, within noise); "
        "parameters 1 M -> 800 k, multiply-adds 2 G -> 500 M"
    )


def test_three_steps_say_where_pruning_did_not_help() -> None:
    records = Records(trials=(_complete("t0000", 72, (90, 60)),))
    assert "not pruned, as no pruning pass was better; parameters 1 M -> 1 M" in three_steps(records)


def test_best_setting_names_every_drawn_value() -> None:
    assert best_setting(_sweep()) == (
        "best setting: t0001 (drawn): superclasses 2/4, weight ratio 0.5 (stack weights 1/4 1/2 1), "
        "scope by-layer, ratio 0.1, kept pass 2 of at most 3, seed 0"
    )


def test_confirmations_are_not_ranked() -> None:
    confirmation = replace(_complete("t0009", 72, (119,)), trial="c0000", number=None, ask=None)
    records = _sweep()
    with_it = Records(trials=(*records.trials, confirmation))
    assert "c0000" not in _text(leaderboard(with_it))
    assert best_setting(with_it) == best_setting(records)


@pytest.mark.parametrize("trials", [(), (fake_row(),)])
def test_without_a_complete_trial_nothing_is_claimed(trials: tuple[TrialRow, ...]) -> None:
    records = Records(trials=trials)
    assert best_setting(records) == three_steps(records) == NOTHING_YET
    assert reading_text(records) == "test split: not read yet"
    assert _text(report(records))


def test_variants_and_settings_are_shown_where_some_are_drawn() -> None:
    bone, joint = (
        CHOICE.model_copy(update={"variant": variant, "settings": (("optimisation.lr_factor", factor),)})
        for variant, factor in (("bone", 0.2), ("joint", 0.1))
    )
    records = Records(trials=(_complete("t0000", 72, (84,), joint), _complete("t0001", 72, (96,), bone)))
    lines = _text(leaderboard(records), width=160).splitlines()
    # Of 120 clips 96 are right, 80%, and 84, 70%.
    rows = [line.split("2/4")[0].split() for line in lines if "t000" in line]
    assert [row[-2:] for row in rows] == [["bone", "0.2"], ["joint", "0.1"]]
    assert any("factor" in line for line in lines)
    assert "t0001 (drawn): variant bone, optimisation.lr_factor 0.2, superclasses 2/4, " in best_setting(
        records
    )


def test_settings_that_differ_in_variant_are_no_seeds_of_each_other() -> None:
    other = CHOICE.model_copy(update={"variant": "bone"})
    records = Records(trials=(_complete("t0000", 72, (96,)), _complete("t0001", 72, (84,), other)))
    assert [records.seeds_of(row) for row in records.trials] == [(0.8,), (0.7,)]
