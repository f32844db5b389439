"""The Pareto front of accuracy and multiply-adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autohier.records.rows import stage_rows
from autohier.reports.trials.front import cheapest_near_best, winner_text
from autohier.sweep.choice.estimates import Candidate
from autohier.sweep.choice.front import Network, pareto_front, sweep_front
from autohier.sweep.choice.winner import read_chosen
from support.command_line import Autohier
from support.fakes.fake_outcomes import PARAMS, fake_outcome
from support.sweep_runs.recorded_sweeps import open_recorded_sweep


def network(estimate: float, multiply_adds: int, name: str) -> Network:
    candidate = Candidate(PARAMS, 0, (name,), estimate, 1, estimate, 0.01, 0.0, 0.5)
    (row,) = stage_rows("t0000", fake_outcome().chain[:1])
    return Network(candidate, replace(row, multiply_adds=multiply_adds))


def test_the_front_holds_what_no_other_network_beats() -> None:
    networks = [
        network(0.7, 100, "a"),
        network(0.8, 200, "b"),
        network(0.75, 200, "worse at the same cost"),
        network(0.8, 300, "dearer at the same accuracy"),
        network(0.6, 150, "worse and dearer"),
        network(0.9, 400, "c"),
    ]
    assert [each.candidate.trials for each in pareto_front(networks)] == [("a",), ("b",), ("c",)]
    assert pareto_front(reversed(networks)) == pareto_front(networks)
    assert pareto_front([]) == []


def test_a_network_is_left_out_if_a_better_one_costs_at_most_a_percent_more() -> None:
    networks = [
        network(0.5, 1000, "worse by a head"),
        network(0.6, 1005, "cheapest"),
        network(0.8, 1016, "better for more than 1%"),
    ]
    assert [each.candidate.trials for each in pareto_front(networks)] == [
        ("cheapest",),
        ("better for more than 1%",),
    ]


def test_the_cheapest_network_within_noise_is_named() -> None:
    def beaten(name: str, probability: float) -> Network:
        each = network(0.7, 100, name)
        return replace(each, candidate=replace(each.candidate, beaten=probability))

    front = [beaten("surely worse", 0.99), beaten("within noise", 0.9), beaten("the best", 0.5)]
    near = cheapest_near_best(front)
    assert near is not None
    assert near.candidate.trials == ("within noise",)
    assert cheapest_near_best([]) is None


@pytest.mark.parametrize(
    ("confirmed", "preferred", "why"),
    [
        (None, None, "the most accurate by the estimates"),
        (None, "t0000", "the first initial config, as no other is more accurate with enough certainty"),
        ("t0000", None, "confirmed as the most accurate with fresh seeds"),
    ],
)
def test_two_objectives_state_the_winner_and_why(
    tmp_path: Path, confirmed: str | None, preferred: str | None, why: str
) -> None:
    sweep = open_recorded_sweep(tmp_path, "search.second_objective=multiply-adds", choose="model")
    sweep.complete(100, 60)
    plan, _ = sweep.folder.read_plan()
    records = read_chosen(sweep.folder, plan)
    front = sweep_front(records)
    records = replace(records, confirmed=confirmed, preferred=preferred)
    # The unpruned network, of 2 G multiply-adds, is the most accurate.
    first, _ = winner_text(records, front).splitlines()
    assert first == (
        f"winner: t0000@pass-2, {why}, with 2 G multiply-adds; it is on the front. It alone is refit and "
        "tested."
    )
    assert winner_text(replace(records, second_objective=None), front) == ""


def test_status_prints_the_front_with_every_pass(autohier: Autohier, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (60, 60))
    sweep = open_recorded_sweep(tmp_path, f"search.max_multiply_adds={outcome.chain[1].cost.multiply_adds}")
    sweep.complete(100, 60)
    shown = autohier("status", "sweep", "--front", "--out", tmp_path)
    assert (shown.code, shown.err) == (0, "")
    text = " ".join(shown.out.split())
    assert "2 of 2 networks" in text
    # The cheapest comes first; only the unpruned one exceeds the bound.
    assert text.index("t0000@prune-1") < text.index("t0000@pass-2")
    assert "winner" not in text
    assert text.count(" * ") - text.count("* exceeds") == 1
