"""Runs of a confirmation: which, how many, and who wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.digest import derive_seed
from autohier.records.reader import Records, read_records
from autohier.records.schema import State, TrialRow, WorkRow
from autohier.reports.trials.confirmation import confirmation_text
from autohier.sweep.choice import confirmation
from autohier.sweep.choice.confirmation import (
    CONTROL,
    FLAT,
    NOMINEE,
    Run,
    controls,
    expected_gain,
    first_initial,
    kept_params,
)
from autohier.sweep.choice.estimates import Candidate, Choice
from autohier.sweep.choice.winner import read_chosen, wanted_runs, with_choice
from support.sweep_runs.recorded_sweeps import open_recorded_sweep

CHAINS = [(80, 78), (78, 84), (80, 70), (60, 61)]
"""Clips that each trial has right after each pass; the second keeps its first pruning pass."""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, SweepPlan]:
    """Four complete trials."""
    sweep = open_recorded_sweep(tmp_path_factory.mktemp("confirmed"))
    for chain in CHAINS:
        sweep.complete(*chain)
    plan, _ = sweep.folder.read_plan()
    return read_records(sweep.folder.records), plan.model_copy(update={"confirm": "2x2", "decide": "fresh"})


def chosen(searched: tuple[Records, SweepPlan]) -> tuple[Records, SweepPlan, list[Run]]:
    records, plan = with_choice(searched[0], searched[1]), searched[1]
    return records, plan, wanted_runs(records, plan)


def row_of(run: Run, records: Records, value: float, index: int, state: State = "COMPLETE") -> TrialRow:
    like = records.trials[0]
    params = run.params
    return replace(
        like,
        trial=f"c{index:04d}",
        number=None,
        trial_index=None,
        state=state,
        superclasses=params.counts_text,
        weight_ratio=params.weight_ratio,
        scope=params.scope,
        ratio=params.ratio,
        passes=params.passes,
        kept_pass=params.passes,
        seed=run.seed,
        role=run.role,
        confirms=run.confirms,
        accuracy=value,
    )


def with_rows(records: Records, plan: SweepPlan, runs: list[Run], values: dict[str, float]) -> Records:
    rows = [row_of(run, records, values[run.confirms], index) for index, run in enumerate(runs)]
    return with_choice(replace(records, trials=(*records.trials, *rows)), plan)


def test_the_best_and_the_first_run_with_fresh_seeds(searched: tuple[Records, SweepPlan]) -> None:
    records, plan, runs = chosen(searched)
    best = [row.trial for row in records.ranked()]
    expected = dict.fromkeys([*best[:2], "t0000"])
    seeds = [derive_seed(plan.seed, "confirm", 0), derive_seed(plan.seed, "confirm", 1)]
    assert [(run.seed, run.confirms) for run in runs] == [(seed, name) for seed in seeds for name in expected]
    assert plan.seed not in seeds
    rows = {row.trial: row for row in records.trials}
    # The number of passes is the kept one, so that nothing is chosen again.
    assert all(run.params.passes == rows[run.confirms].kept_pass for run in runs)
    assert {run.role for run in runs} == {NOMINEE}
    assert wanted_runs(records, plan.model_copy(update={"confirm": "none"})) == []


def test_the_winner_of_the_fresh_seeds_is_ranked_first_and_gets_controls(
    searched: tuple[Records, SweepPlan],
) -> None:
    records, plan, runs = chosen(searched)
    last = list(dict.fromkeys(run.confirms for run in runs))[-1]
    values = {run.confirms: 0.9 if run.confirms == last else 0.5 for run in runs}
    undecided = with_rows(records, plan, runs[:-1], values)
    assert undecided.confirmed is None
    assert undecided.ranked() == records.ranked()
    decided = with_rows(records, plan, runs, values)
    assert decided.confirmed == decided.ranked()[0].trial == last
    more = wanted_runs(decided, plan)[len(runs) :]
    expected = list(controls(kept_params(decided.ranked()[0])))
    assert [run.role for run in more] == expected * 2
    assert {run.confirms for run in more} == {last}
    assert [run.seed for run in more[:: len(expected)]] == list(dict.fromkeys(run.seed for run in runs))


def test_a_failed_nominee_cannot_win(searched: tuple[Records, SweepPlan]) -> None:
    records, plan, runs = chosen(searched)
    names = list(dict.fromkeys(run.confirms for run in runs))
    values = {name: 0.9 if name == names[-1] else 0.5 for name in names}
    rows = [
        row_of(run, records, values[run.confirms], index, "FAIL" if index == len(names) - 1 else "COMPLETE")
        for index, run in enumerate(runs)
    ]
    assert with_choice(replace(records, trials=(*records.trials, *rows)), plan).confirmed == names[0]


def test_pooled_decisions_weigh_the_search(searched: tuple[Records, SweepPlan]) -> None:
    records, plan, runs = chosen(searched)
    names = list(dict.fromkeys(run.confirms for run in runs))
    pooled = plan.model_copy(update={"decide": "pooled"})
    clear = {name: 0.95 if name == names[-1] else 0.4 for name in names}
    assert with_rows(records, pooled, runs, clear).confirmed == names[-1]


def test_a_cautious_confirmation_keeps_the_first_config_unless_another_is_surely_better(
    searched: tuple[Records, SweepPlan],
) -> None:
    records, plan, runs = chosen(searched)
    first = first_initial(records)
    assert first is not None
    other = next(run.confirms for run in runs if run.confirms != first.trial)
    pooled = plan.model_copy(update={"decide": "pooled"})
    cautious = pooled.model_copy(update={"choose": "cautious"})
    slight = {run.confirms: 0.5 if run.confirms == other else 0.49 for run in runs}
    clear = {run.confirms: 0.95 if run.confirms == other else 0.4 for run in runs}
    winners = [
        with_rows(records, each, runs, values).confirmed
        for values in (slight, clear)
        for each in (pooled, cautious)
    ]
    assert winners == [other, first.trial, other, other]


def test_controls_prune_nothing() -> None:
    pruned = Hyperparameters(superclasses="2/4", weight_ratio=0.5, scope="global", ratio=0.1, passes=2)
    both = controls(pruned)
    assert both[CONTROL] == pruned.model_copy(update={"ratio": 0.0})
    assert (both[FLAT].superclasses, both[FLAT].ratio, both[FLAT].passes) == ((), 0.0, 2)
    assert list(controls(pruned.model_copy(update={"ratio": 0.0}))) == [FLAT]
    assert list(controls(pruned.model_copy(update={"passes": 0}))) == [FLAT]


def choice_of(means: list[float], sd: float, run_sd: float) -> Choice:
    params = Hyperparameters(superclasses="2/4", weight_ratio=0.5, scope="global", ratio=0.1, passes=0)
    candidates = tuple(Candidate(params, 0, ("t0000",), each, 1, each, sd, 0.5, 0.5) for each in means)
    size = range(len(means))
    return Choice(candidates, tuple(tuple(sd**2 * (i == j) for j in size) for i in size), run_sd)


def test_expected_gain_of_two_equal_candidates() -> None:
    # Without noise the better of two is found: the mean maximum of two normal variables is sd / sqrt(pi).
    sure = expected_gain(choice_of([0.7, 0.7], 0.02, 0.0), 2, 1)
    assert sure == pytest.approx(0.02 / 3.14159**0.5, rel=0.1)
    # With equal deviations of signal and noise, the correlation of sum and signal is sqrt(1/2).
    half = expected_gain(choice_of([0.7, 0.7], 0.02, 0.02), 2, 1)
    assert half == pytest.approx(0.02 / 6.28319**0.5, rel=0.15)
    assert expected_gain(choice_of([0.7, 0.7], 0.02, 0.02), 2, 4) > half
    assert expected_gain(choice_of([0.7], 0.02, 0.02), 4, 2) == 0.0


def test_only_fresh_seeds_alone_can_lose_what_the_search_found() -> None:
    clear = choice_of([0.75, 0.70], 0.01, 0.2)
    assert expected_gain(clear, 2, 1, "fresh") < -0.01
    assert expected_gain(clear, 2, 1, "pooled") == pytest.approx(0.0, abs=1e-4)


def test_auto_stays_within_a_quarter_of_the_search(searched: tuple[Records, SweepPlan]) -> None:
    records, plan = searched
    auto = plan.model_copy(update={"confirm": "auto", "decide": "pooled"})
    poor = tuple(replace(row, epochs_computed=10) for row in records.trials)
    assert wanted_runs(with_choice(replace(records, trials=poor), auto), auto) == []
    rich = tuple(replace(row, epochs_computed=10_000) for row in records.trials)
    runs = wanted_runs(with_choice(replace(records, trials=rich), auto), auto)
    assert len({run.seed for run in runs}) >= 1
    assert len({run.confirms for run in runs}) >= 2


def auto_of(plan: SweepPlan) -> SweepPlan:
    return plan.model_copy(update={"confirm": "auto", "decide": "pooled"})


def test_auto_depends_on_trials_and_stages_alone(searched: tuple[Records, SweepPlan]) -> None:
    """Not on rows that some readers leave out, nor on which epochs the stage store had before."""
    rich = tuple(replace(row, epochs_computed=200, epochs_reused=0) for row in searched[0].trials)
    records, plan = replace(searched[0], trials=rich), auto_of(searched[1])
    runs = wanted_runs(with_choice(records, plan), plan)
    assert runs
    work = WorkRow("pass 1", True, "pass 1", 0.5, 10_000, 0, 1.0, 0.0, 0.0, datetime.now(UTC))
    for same in (
        replace(records, work=(work,)),
        replace(records, trials=tuple(replace(row, epochs_computed=0, epochs_reused=200) for row in rich)),
    ):
        assert wanted_runs(with_choice(same, plan), plan) == runs


def test_epochs_of_the_search_count_each_stage_once(searched: tuple[Records, SweepPlan]) -> None:
    records, _ = searched
    # Pass 1 and 7 passes with other values have 2 epochs each; two trials share a pass 2 of 80 clips.
    assert confirmation._search_epochs(records) == 2 * 8
    stopped = replace(records.trials[0], epochs_computed=9, epochs_reused=0)
    # 9 epochs, of which 3 stages have 6.
    assert confirmation._search_epochs(replace(records, trials=(stopped, *records.trials[1:]))) == 2 * 8 + 3


def test_epochs_of_a_confirmation_are_those_of_its_own_stages(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path, "initial=[]", "search.settings={'pass_2.epochs'=[4, 400]}")
    sweep.complete(80, 84)
    plan, _ = sweep.folder.read_plan()
    (row,) = read_records(sweep.folder.records).trials
    pass_1, pruning = plan.space.pass_1.epochs, plan.space.pruning.epochs
    for epochs in (4, 400):
        own = replace(row, params=f'{{"pass_2.epochs":{epochs}}}', kept_pass=1, ratio=0.1)
        # The nominee and its unpruned control share pass 2; the flat control has one of its own.
        assert confirmation._epochs([own], plan, 2) == 2 * (pass_1 + 2 * epochs + 3 * pruning)


def test_the_first_sampled_config_is_no_initial_one(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path, "initial=[]")
    for chain in ((60,), (80,), (84,)):
        sweep.complete(*chain)
    plan = sweep.folder.read_plan()[0].model_copy(update={"confirm": "2x1"})
    runs = wanted_runs(read_chosen(sweep.folder, plan), plan)
    assert {run.confirms for run in runs} == {"t0001", "t0002"}


def test_the_first_initial_config_runs_though_another_trial_has_its_network(
    searched: tuple[Records, SweepPlan],
) -> None:
    """Two trials keep one pass 2, and the other is ranked higher."""
    records, plan = searched[0], searched[1].model_copy(update={"choose": "highest", "confirm": "1x1"})
    first, twin, _, better = records.trials
    kept = replace(first, kept_pass=0, accuracy=0.5)
    same = {
        name: getattr(kept, name) for name in ("superclasses", "weight_ratio", "scope", "ratio", "kept_pass")
    }
    twin = replace(twin, **same, passes=kept.passes + 1, accuracy=0.6)
    trials = (kept, twin, replace(better, accuracy=0.9))
    runs = wanted_runs(with_choice(replace(records, trials=trials), plan), plan)
    assert [run.confirms for run in runs] == ["t0003", "t0001"]
    assert runs[1].params.effect == kept_params(kept).effect


@pytest.mark.parametrize("decide", ["fresh", "pooled"])
def test_a_control_of_an_earlier_winner_may_be_a_nominee(
    searched: tuple[Records, SweepPlan], decide: str
) -> None:
    """The search has grown: the unpruned control is the best config now, and has run with the fresh seeds."""
    records, plan = searched[0], searched[1].model_copy(update={"decide": decide, "choose": "highest"})
    pruned = records.trials[1]
    unpruned = replace(pruned, trial="t0004", trial_index=4, number=99, ratio=0.0, accuracy=0.9)
    stages = [replace(row, trial="t0004") for row in records.stages_of("t0001")]
    stages[-1] = replace(stages[-1], accuracy=0.9, key="other")
    grown = replace(records, trials=(*records.trials, unpruned), stages=(*records.stages, *stages))
    runs = wanted_runs(with_choice(grown, plan), plan)
    assert "t0004" in {run.confirms for run in runs}
    rows = [
        replace(row_of(run, grown, 0.95 if run.confirms == "t0004" else 0.4, index), right_clips="1" * 9)
        for index, run in enumerate(runs)
    ]
    rows = [replace(row, role=CONTROL, confirms="t0001") if row.confirms == "t0004" else row for row in rows]
    decided = with_choice(replace(grown, trials=(*grown.trials, *rows)), plan)
    assert decided.confirmed == "t0004"
    assert "t0004: mean 95.0% (95.0%, 95.0%)" in confirmation_text(decided)
    flat = wanted_runs(decided, plan)[len(runs) :]
    assert [(run.role, run.seed) for run in flat] == [
        (FLAT, seed) for seed in dict.fromkeys(r.seed for r in runs)
    ]
