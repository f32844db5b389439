"""``autohier plan``: the estimated cost of a sweep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from autohier.sweep.planning import budgets
from support.command_line import Autohier
from support.sources.tiny_clips import SPACE_FILE


def mean_of(out: str, quantity: str) -> float:
    """Return the number in the first line of a quantity."""
    found = re.search(rf"^{re.escape(quantity)}\s+([\d,.]+)  ", out, flags=re.MULTILINE)
    assert found, out
    return float(found[1].replace(",", ""))


def test_given_costs_replace_measured_ones(autohier: Autohier, tmp_path: Path) -> None:
    # One setting of the space's own, 60 s an epoch: 20 + 20 + 4 * 10 epochs at most, and a refit of as many.
    ended = autohier(
        *("plan", "ntu60", "--trials", 1, "--accelerators", 2, "--seconds-per-epoch", 60, "--data", tmp_path)
    )
    assert ended.code == 0
    assert ended.err.splitlines() == [f"simulating sweep {number} of 5 ..." for number in range(1, 6)]
    epochs, hours = mean_of(ended.out, "epochs"), mean_of(ended.out, "accelerator-hours")
    assert 2 * (20 + 20) + 2 * 10 <= epochs <= 2 * (20 + 20 + 4 * 10)
    assert hours == pytest.approx(epochs / 60, abs=0.01)
    # A single trial shares nothing, leaves an accelerator idle, and is not stopped.
    assert mean_of(ended.out, "  times as many") == 1
    assert mean_of(ended.out, "  utilization, %") == 50
    assert mean_of(ended.out, "trials stopped early") == 0
    assert "clips: 34,272 train, 6,048 validation, 16,560 test (the published numbers)" in ended.out
    assert "an epoch: pass 1 60 s, pass 2 60 s, pruning 60 s (given)" in ended.out
    assert list(tmp_path.iterdir()) == []


def test_quantities_as_csv(autohier: Autohier, tmp_path: Path) -> None:
    options = ("--trials", 1, "--seconds-per-epoch", 60, "--data", tmp_path, "--csv")
    header, first, *_ = autohier("plan", "ntu60", *options).out.splitlines()
    assert header == "quantity,unit,mean,low,high"
    assert first.startswith("accelerator_hours,h,")


def test_prepared_clips_are_measured(autohier: Autohier, tiny_data: Path) -> None:
    ended = autohier("plan", SPACE_FILE, "--trials", 3, "--data", tiny_data, "--sampler", "random")
    assert ended.code == 0
    assert "measuring pass 1 on " in ended.err
    assert f"clips: 72 train, 24 validation, 48 test (prepared in {tiny_data / 'demo'})" in ended.out.replace(
        "\n  ", " "
    )
    assert "(measured on " in ended.out
    note = "these times are a CPU's, as this machine has no GPU"
    assert (note in " ".join(ended.out.split())) == (not torch.accelerator.is_available())
    assert "tiny: 3 trials, scheduler successive-halving, sampler random\n" in ended.out


def test_without_a_scheduler_no_trial_is_stopped(autohier: Autohier, tiny_data: Path) -> None:
    ended = autohier(
        *("plan", SPACE_FILE, "--trials", 12, "--data", tiny_data, "--sampler", "random"),
        *("--seconds-per-epoch", 1, "--scheduler", "none"),
    )
    assert mean_of(ended.out, "trials stopped early") == 0
    assert mean_of(ended.out, "  times as many") > 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("demo",),
            r"^demo must be prepared, since its number of clips is not published: run 'autohier prepare",
        ),
        (("ntu6",), r"^unknown search space 'ntu6'"),
        (("ntu60", "--sampler", "cma"), r"^plan: sampler: "),
        (
            ("ntu60", "--set", "recognizer.name=resnet"),
            r"^ntu60: recognizer\.name: unknown recognizer 'resnet'",
        ),
        (
            ("ntu60", "--set", "recipe=hca"),
            r"^ntu60: recipe: unknown recipe 'hca': did you mean 'hac'",
        ),
        (
            ("ntu60", "--seconds-per-epoch", "60", "--scaling", "measure"),
            r"^plan computes on one machine, so it cannot measure .*, but got --scaling measure: write",
        ),
        (("ntu60", "--set", "protocol.held_out=[3]"), r"^clean validation holds out subjects that train"),
    ],
)
def test_errors_are_one_line(
    autohier: Autohier, tmp_path: Path, arguments: tuple[str, ...], error: str
) -> None:
    assert re.search(error, autohier("plan", "--data", tmp_path, *arguments).error)


VARIANTS = ("--set", "search.variants.plain={}", "--set", "search.variants.narrow.recognizer.width=0.0625")


def test_every_variant_is_measured(autohier: Autohier, tiny_data: Path) -> None:
    ended = autohier("plan", SPACE_FILE, "--trials", 4, "--data", tiny_data, "--sampler", "random", *VARIANTS)
    assert ended.code == 0
    for variant in ("plain", "narrow"):
        assert f"{variant}: measuring prune 1 on " in ended.err
        assert f"an epoch of variant {variant}: pass 1 " in ended.out


def test_a_variant_with_too_few_stacks_is_named(autohier: Autohier, tiny_data: Path) -> None:
    graph = "search.variants.graph={clips={input='skeletons'}, recognizer={name='st-gcn'}}"
    variants = (*VARIANTS[:2], "--set", graph, "--set", "initial=[]")
    # A ResNet has four stacks and takes three levels, ST-GCN has three.
    ended = autohier("plan", "ntu60", "--data", tiny_data, "--seconds-per-epoch", 1, *variants)
    assert ended.error.startswith("variant graph: a recognizer of 3 stacks carries 1 to 3 heads, but got 4")


def test_a_budget_is_estimated_with_what_twice_as_much_buys(
    autohier: Autohier, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "_NUM_WORLDS", 2)
    command = ("plan", SPACE_FILE, "--data", tiny_data, "--sampler", "random", "--seconds-per-epoch", 1)
    ended = autohier(*command, "--budget-epochs", 20, "--confirm", "none")
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert text.startswith("tiny: 20 epochs, scheduler successive-halving, sampler random ")
    assert "twice the budget: " in text
    assert "on average over 2 simulated sweeps without confirmation" in text
    assert "failed trials accuracies" in text.lower()
    # 2 epochs of pass 1, and 1 to 8 of each trial: the budget ends within the last one.
    assert 3 <= mean_of(ended.out, "trials") <= 18
    without = autohier(*command, "--trials", 2)
    assert "twice the budget" not in without.out
    assert "the confirmation, which trains at most a quarter of the search's epochs" in " ".join(
        without.out.split()
    )


def test_a_budget_of_hours_needs_epochs_that_take_time(autohier: Autohier, tiny_data: Path) -> None:
    options = ("--data", tiny_data, "--seconds-per-epoch", 0, "--budget-hours", 1)
    error = autohier("plan", SPACE_FILE, *options).error
    assert "epochs must take time to use up --budget-hours, but got --seconds-per-epoch 0" in error


def test_two_objectives_are_simulated(autohier: Autohier, tmp_path: Path) -> None:
    options = ("--trials", 6, "--seconds-per-epoch", 1, "--scheduler", "none", "--data", tmp_path)
    one = autohier("plan", "ntu60", *options)
    two = autohier("plan", "ntu60", *options, "--objectives", "accuracy,multiply-adds")
    assert (one.code, two.code) == (0, 0)
    # No stop rule ends a chain that prunes.
    assert mean_of(two.out, "epochs") > mean_of(one.out, "epochs")
    assert "Multiply-adds are simulated" in two.out
    assert "Multiply-adds are simulated" not in one.out
