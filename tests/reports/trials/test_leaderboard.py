"""The report of a sweep: ranking, marks of statistical noise, and the text as a golden file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.training.metrics import Evaluation
from autohier.records.estimates import Estimate
from autohier.records.reader import Records
from autohier.records.rows import epoch_rows, evaluation_row, stage_rows
from autohier.records.schema import TrialRow
from autohier.records.trial_rows import complete_row, unfinished_row
from autohier.reports.evaluations.levels import best_levels, best_pathways
from autohier.reports.evaluations.test_results import evaluations_text
from autohier.reports.sweeps.report import (
    NO_COMPLETE_TRIAL,
    accuracy_steps,
    best_config,
    sweep_report,
)
from autohier.reports.trials.leaderboard import leaderboard
from autohier.reports.unfinished import unfinished_text
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_confusion, fake_outcome, fake_row

GOLDEN = Path(__file__).parent / "golden" / "leaderboard.txt"
ACCEPT = "AUTOHIER_ACCEPT_GOLDEN"


def _text(renderable: RenderableType, *, width: int = 120) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _complete(
    trial: str, pass_1: int, chain: tuple[int, ...], params: Hyperparameters = PARAMS, *, seed: int = 0
) -> TrialRow:
    return complete_row(fake_row(trial, params, seed=seed), fake_outcome(pass_1, chain), START + MINUTE)


def _other(ratio: float) -> Hyperparameters:
    return PARAMS.model_copy(update={"ratio": ratio})


def _sweep() -> Records:
    # Kept passes have 96, 90 and 60 of 120 clips correct; one trial is running, one stopped, one failed.
    best = _complete("t0001", 72, (90, 93, 96))
    levels = ((0.9, 0.85, 0.75), fake_confusion(90), (1.0, 1.0, 0.95), (0.88, 0.84, 0.7))
    result = evaluation_row(best, "prune 2", Evaluation(1.0, *levels), START + MINUTE)
    deeper = fake_row("t0003", PARAMS.model_copy(update={"superclasses": (3, 6), "ratio": 0.125}))
    trials = (
        _complete("t0000", 72, (90, 84), _other(0.05)),
        best,
        _complete("t0002", 50, (60,), _other(0.15)),
        deeper,
        unfinished_row(fake_row("t0004"), "PRUNED", reason="behind the median", at=START + MINUTE),
        unfinished_row(fake_row("t0005"), "FAIL", reason="loss is not a number", at=START + MINUTE),
    )
    stages = stage_rows("t0001", fake_outcome(72, (90, 93, 96)).stages)
    return Records(trials=trials, stages=stages, tests=(result,))


def test_configs_are_ranked_by_their_first_seed() -> None:
    # Of 120 clips, the first config has 96 and 84 correct, 75% on average; the second 93 with one seed.
    again = [_complete("t0000", 72, (96,)), _complete("t0001", 72, (84,), seed=1)]
    records = Records(trials=(*again, _complete("t0002", 72, (93,), _other(0.05))))
    assert [row.trial for row in records.ranked()] == ["t0000", "t0001", "t0002"]
    assert records.seeds_of(again[0]) == (0.8, 0.7)
    rows = _text(leaderboard(records), width=160).splitlines()
    assert sum("75.0% of 2" in row for row in rows) == 2


def test_estimates_rank_the_trials_and_say_how_sure_the_order_is() -> None:
    lucky, good = _complete("t0000", 72, (96,)), _complete("t0001", 72, (93,), _other(0.05))
    poor = _complete("t0002", 72, (60,), _other(0.15))
    estimates = {
        "t0000": Estimate(0.752, 0.69, 0.81, best_probability=0.26, beaten=0.7),
        "t0001": Estimate(0.765, 0.70, 0.83, best_probability=0.74, beaten=0.5),
        "t0002": Estimate(0.551, 0.48, 0.61, best_probability=0.0, beaten=0.99),
    }
    stopped = unfinished_row(fake_row("t0003"), "PRUNED", reason="behind", at=START + MINUTE)
    records = Records(trials=(lucky, good, poor, stopped), estimates=estimates)
    assert [row.trial for row in records.ranked()] == ["t0001", "t0000", "t0002"]
    text = _text(leaderboard(records), width=200)
    rows = [line.split() for line in text.splitlines() if " t000" in line and "stopped" not in line]
    assert [row[: row.index("complete") + 4] for row in rows[:3]] == [
        ["1", "t0001", "complete", "77.5%", "76.5%", "70.0-83.0"],
        ["≈", "2", "t0000", "complete", "80.0%", "75.2%", "69.0-81.0"],
        ["3", "t0002", "complete", "50.0%", "55.1%", "48.0-61.0"],
    ]
    said = " ".join(text.split())
    assert "t0001 is the best with probability 74%, and better than t0000 with 70%." in said
    assert "1 trial is within noise" in said
    confirmed = " ".join(_text(leaderboard(replace(records, confirmed="t0000")), width=200).split())
    assert "t0000 won the confirmation; the others are ranked by estimates." in confirmed
    assert "with probability" not in confirmed


def test_the_report_equals_its_golden_file() -> None:
    text = _text(sweep_report(_sweep()))
    if os.environ.get(ACCEPT):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), (
        f"the report has changed; if this is intended, run `{ACCEPT}=1 pytest {Path(__file__).name}` "
        f"and commit {GOLDEN.name}"
    )


def test_every_level_has_its_accuracies() -> None:
    # 96 of 120 clips are right, and half of the other 24 within five guesses.
    assert best_levels(_sweep()) == (
        "validation by level, prune 2: 2 superclasses: top-1 100.0%, top-5 100.0%, mean class 100.0%; "
        "4 superclasses: top-1 100.0%, top-5 100.0%, mean class 100.0%; "
        "classes: top-1 80.0%, top-5 90.0%, mean class 80.0%"
    )
    assert evaluations_text(_sweep()).endswith(
        "UTC\n  by level: 2 superclasses: top-1 90.0%, top-5 100.0%, mean class 88.0%; "
        "4 superclasses: top-1 85.0%, top-5 100.0%, mean class 84.0%; "
        "classes: top-1 75.0%, top-5 95.0%, mean class 70.0%"
    )


def test_every_pathway_has_its_accuracy() -> None:
    records = _sweep()
    assert best_pathways(records) == ""
    names, own = ("frames", "skeletons"), (0.5, 0.875)
    stages = [replace(row, pathways=names, pathway_accuracies=own) for row in records.stages]
    tests = [replace(row, pathways=names, pathway_accuracies=own) for row in records.tests]
    both = replace(records, stages=tuple(stages), tests=tuple(tests))
    assert best_pathways(both) == "validation by pathway, prune 2: frames alone 50.0%; skeletons alone 87.5%"
    assert evaluations_text(both).endswith("\n  by pathway: frames alone 50.0%; skeletons alone 87.5%")
    assert best_pathways(both) in _text(sweep_report(both), width=200)


def test_records_of_an_older_version_have_no_levels() -> None:
    older = replace(_sweep(), stages=(), tests=())
    assert best_levels(older) == ""
    (result,) = _sweep().tests
    bare = replace(result, stack_top5_accuracies=(), stack_mean_class_accuracies=())
    assert evaluations_text(replace(_sweep(), tests=(bare,))).endswith("12:01 UTC")


def test_a_search_for_mean_class_accuracy_shows_and_ranks_it() -> None:
    rows = [
        replace(_complete("t0000", 72, (96,), _other(0.05)), mean_class_accuracy=0.61),
        replace(_complete("t0001", 72, (84,)), mean_class_accuracy=0.66),
    ]
    records = Records(trials=tuple(replace(row, objective="mean-class") for row in rows))
    text = _text(leaderboard(records), width=200)
    assert "ranked by mean class accuracy" in " ".join(text.split())
    lines = [line.split() for line in text.splitlines() if "t000" in line]
    assert [line[:5] for line in lines] == [
        ["1", "t0001", "complete", "66.0%", "70.0%"],
        ["2", "t0000", "complete", "61.0%", "80.0%"],
    ]


def test_a_trial_without_a_driver_does_not_run() -> None:
    records = Records(trials=(_complete("t0000", 72, (96,)), fake_row("t0001")))
    for is_driven, state in ((True, "running"), (False, "interrupted")):
        lines = _text(sweep_report(records, is_driven=is_driven), width=160).splitlines()
        (line,) = (line for line in lines if "t0001" in line)
        assert line.split()[:2] == ["t0001", state]


def test_trials_are_sorted_best_first_and_noise_is_marked() -> None:
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


def test_a_limit_counts_the_hidden_trials() -> None:
    text = _text(leaderboard(_sweep(), limit=2))
    assert "2 of 6 trials shown" in text
    assert "t0001" in text
    assert "t0002" not in text


def test_accuracy_steps_show_gains_noise_and_cost() -> None:
    # Pass 1 60%, pass 2 75% (its interval starts at 66.6%: no noise), pruned twice 80% (noise). Each fake
    # pass removes 100 k parameters and halves the multiply-adds.
    assert accuracy_steps(_sweep()) == (
        "validation accuracy: pass 1 60.0% -> pass 2 75.0% (+15.0 points) -> "
        "pruned (2 passes) 80.0% (+5.0 points, within noise); "
        "parameters 1 M -> 800 k, multiply-adds 2 G -> 500 M"
    )


def test_accuracy_steps_say_if_pruning_did_not_help() -> None:
    records = Records(trials=(_complete("t0000", 72, (90, 60)),))
    text = "pass 2 kept, as no pruning pass was better; 1 M parameters, 2 G multiply-adds"
    assert text in accuracy_steps(records)


@pytest.mark.parametrize(
    ("chain", "passes", "text"),
    [
        # Of 120 clips, pass 2 has 90 right; the chain 93 or 84.
        ((90, 93), 3, "-> retrained without pruning (1 pass) 77.5% (+2.5 points, within noise); "),
        ((90, 84), 3, "-> pass 2 kept, as no retraining was better; 1 M parameters"),
        ((90,), 0, "-> pass 2 kept, as the config has no pruning pass; 1 M parameters"),
    ],
)
def test_a_ratio_of_0_prunes_nothing(chain: tuple[int, ...], passes: int, text: str) -> None:
    params = PARAMS.model_copy(update={"ratio": 0.0, "passes": passes})
    assert text in accuracy_steps(Records(trials=(_complete("t0000", 72, chain, params),)))


def test_what_lost_records_held_is_unknown_and_not_0() -> None:
    """The study stands in for a trial's row: it knows the value and the effort, not pass 1 and the clips."""
    row = _complete("t0000", 72, (78, 84))
    lost = replace(row, pass_1_accuracy=None, num_validation_clips=None, dense_parameters=None)
    other = _complete("t0001", 72, (60,), _other(0.05))
    assert accuracy_steps(Records(trials=(lost, other))) == (
        "validation accuracy: pass 1 unknown -> pass 2 65.0% -> pruned (1 pass) 70.0% (+5.0 points)"
    )
    text = _text(leaderboard(Records(trials=(lost, other))), width=160)
    assert "0.0-100.0" not in text
    assert "within noise" not in text


def test_best_config_lists_every_hyperparameter() -> None:
    assert best_config(_sweep()) == (
        "best config: t0001 (sampled): superclasses 2/4, weight ratio 0.5 (stack weights 1/4 1/2 1), "
        "pruning scope layerwise, pruning ratio 0.1, kept pruning pass 2 of at most 3, seed 0"
    )


def test_best_config_says_if_no_pruning_pass_is_kept() -> None:
    records = Records(trials=(_complete("t0000", 72, (90, 84)),))
    assert "pruning ratio 0.1, none of at most 3 pruning passes kept, seed 0" in best_config(records)
    without = PARAMS.model_copy(update={"passes": 0})
    records = Records(trials=(_complete("t0000", 72, (90,), without),))
    assert "pruning ratio 0.1, no pruning pass, seed 0" in best_config(records)


def test_stopped_and_failed_trials_say_what_they_reached_and_why_they_ended() -> None:
    outcome = fake_outcome(72, (90, 93))
    epochs = epoch_rows("t0001", outcome.stages)
    stopped = unfinished_row(fake_row("t0001"), "PRUNED", reason="below the best at rung 1", at=START)
    failed = unfinished_row(fake_row("t0002"), "FAIL", reason="loss is not a number", at=START)
    trials = (_complete("t0000", 72, (96,)), stopped, failed, fake_row("t0003"))
    records = Records(trials=trials, epochs=epochs)
    last = epochs[-1]
    assert (last.kind, last.pass_index) == ("prune", 1)
    expected = (
        "t0002 failed before its first epoch: loss is not a number\n"
        f"t0001 stopped at {100 * last.accuracy:.1f}% validation accuracy, in epoch {last.epoch + 1} of "
        "prune 1: below the best at rung 1"
    )
    assert unfinished_text(records) == expected
    assert expected.splitlines()[0] in _text(sweep_report(records), width=200)
    many = Records(trials=tuple(replace(stopped, trial=f"t{n:04d}") for n in range(13)))
    lines = unfinished_text(many).splitlines()
    assert (lines[0][:5], lines[-2][:5], lines[-1]) == ("t0012", "t0003", "and 3 more")


def test_confirmations_are_not_ranked() -> None:
    confirmation = replace(_complete("t0009", 72, (119,)), trial="c0000", number=None, trial_index=None)
    records = _sweep()
    with_it = Records(trials=(*records.trials, confirmation))
    assert "c0000" not in _text(leaderboard(with_it))
    assert best_config(with_it) == best_config(records)


@pytest.mark.parametrize("trials", [(), (fake_row(),)])
def test_without_a_complete_trial_there_are_no_results(trials: tuple[TrialRow, ...]) -> None:
    records = Records(trials=trials)
    assert best_config(records) == NO_COMPLETE_TRIAL
    assert accuracy_steps(records) == ""
    assert evaluations_text(records) == "test accuracy: not evaluated yet"
    assert _text(sweep_report(records)).count(NO_COMPLETE_TRIAL) == 1


def test_variants_and_searched_hyperparameters_have_columns() -> None:
    bone, joint = (
        PARAMS.model_copy(update={"variant": variant, "settings": (("optimisation.lr_factor", factor),)})
        for variant, factor in (("bone", 0.2), ("joint", 0.1))
    )
    records = Records(trials=(_complete("t0000", 72, (84,), joint), _complete("t0001", 72, (96,), bone)))
    lines = _text(leaderboard(records), width=160).splitlines()
    # 96 of 120 clips are correct, 80%, and 84, 70%.
    rows = [line.split("2/4")[0].split() for line in lines if "t000" in line]
    assert [row[-2:] for row in rows] == [["bone", "0.2"], ["joint", "0.1"]]
    assert any("factor" in line for line in lines)
    assert "t0001 (sampled): variant bone, optimisation.lr_factor 0.2, superclasses 2/4, " in best_config(
        records
    )


def test_configs_of_different_variants_are_not_averaged_as_seeds() -> None:
    other = PARAMS.model_copy(update={"variant": "bone"})
    records = Records(trials=(_complete("t0000", 72, (96,)), _complete("t0001", 72, (84,), other)))
    assert [records.seeds_of(row) for row in records.trials] == [(0.8,), (0.7,)]
