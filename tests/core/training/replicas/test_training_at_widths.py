"""Training on several ranks gives the network that one process trains."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autohier.core.training.replicas import SOLO
from autohier.errors import DivergedError
from support.networks.small_recognizers import CASES
from support.training.rank_pool import RankPool
from support.training.replica_work import TWO_INPUTS, Case, Trained, train_case
from support.training.small_training import CutShortError

ROUNDING = 1e-9
"""Largest difference of float64 networks."""
CASES_OF_TRAINING = {
    "batches of unequal size": Case(num_clips=10, batch_size=4),
    "a last batch with fewer clips than ranks": Case(num_clips=11, batch_size=3, dropout=0.2),
    "an evaluation with fewer clips than ranks": Case(num_clips=3, batch_size=3),
    "a short gradient": Case(options={"clip_norm": 0.05}),
    "balanced classes": Case(balanced=True),
    "dropout": Case(dropout=0.4),
    "Adam": Case(optimizer="adam", learning_rate=1e-3, dropout=0.4),
    "two parts": Case(num_clips=11, batch_size=6, options={"micro_batches": 2}, dropout=0.4),
    "parts with fewer clips than ranks": Case(num_clips=12, batch_size=6, options={"micro_batches": 3}),
}
WITHOUT_CLIPS = [name for name in CASES_OF_TRAINING if "than ranks" in name]
"""Cases in which some of four ranks have no clips."""
FAMILIES = ("inflated-resnet18", "st-gcn", "aagcn", "tcn", "pose-slowonly-shallow")
"""One recognizer of each family."""


@pytest.mark.parametrize(
    ("name", "width"), [(name, 2) for name in CASES_OF_TRAINING] + [(name, 4) for name in WITHOUT_CLIPS]
)
def test_the_number_of_ranks_changes_rounding_only(ranks: RankPool, name: str, width: int) -> None:
    case = CASES_OF_TRAINING[name]
    alone = train_case(SOLO, case)
    trained: list[Trained] = ranks.run(width, train_case, case)
    for each in trained:
        assert each.distance(alone) < ROUNDING
        # All ranks continue with the same network and schedule.
        assert each.distance(trained[0]) == 0
        assert each.history == trained[0].history
    for ours, theirs in zip(trained[0].history, alone.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-6)
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-6)
        assert ours.stack_accuracies == theirs.stack_accuracies
        assert ours.stack_mean_class_accuracies == theirs.stack_mean_class_accuracies


def test_the_cases_compute_different_things() -> None:
    networks = [train_case(SOLO, case) for case in CASES_OF_TRAINING.values()]
    for index, one in enumerate(networks):
        assert all(one.distance(other) > 1e-4 for other in networks[:index])


@pytest.mark.parametrize("name", [*CASES, TWO_INPUTS])
def test_every_recognizer_trains_alike_on_two_ranks(ranks: RankPool, name: str) -> None:
    case = _of_recognizer(name, torch.float64)
    alone = train_case(SOLO, case)
    assert max(each.distance(alone) for each in ranks.run(2, train_case, case)) < ROUNDING


@pytest.mark.parametrize("name", ["inflated-resnet18", "st-gcn"])
def test_rounding_in_float32_is_that_of_one_process(ranks: RankPool, name: str) -> None:
    case = _of_recognizer(name, torch.float32)
    alone = train_case(SOLO, case)
    # Measured for all recognizers: at most 1.3 times as large.
    error = max(alone.distance(train_case(SOLO, _of_recognizer(name, torch.float64))), 1e-7)
    assert max(each.distance(alone) for each in ranks.run(2, train_case, case)) < 4 * error


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_trains_alike_on_four_ranks(ranks: RankPool, name: str) -> None:
    case = _of_recognizer(name, torch.float64)
    alone = train_case(SOLO, case)
    assert max(each.distance(alone) for each in ranks.run(4, train_case, case)) < ROUNDING


def _of_recognizer(name: str, dtype: torch.dtype) -> Case:
    # One step with seven clips: ranks have unequal shares. Clipped, as deep networks amplify rounding.
    sizes = {"num_clips": 7, "batch_size": 7, "epochs": 1}
    return Case(name, dtype, dropout=0.3, learning_rate=1e-3, options={"clip_norm": 1.0}, **sizes)  # type: ignore[arg-type]


def test_rank_0_alone_reports(ranks: RankPool) -> None:
    trained: list[Trained] = ranks.run(3, train_case, Case())
    assert [each.reported for each in trained] == [[(0, False), (1, False)], [], []]


@pytest.mark.parametrize("widths", [(1, 2), (4, 2, 1)])
def test_interrupted_training_continues_at_another_width(
    ranks: RankPool, tmp_path: Path, widths: tuple[int, ...]
) -> None:
    case = Case(epochs=4, dropout=0.3, optimizer="adam", learning_rate=1e-2)
    alone = train_case(SOLO, case)
    case = replace(case, checkpoint=tmp_path / "epochs")
    for last, width in enumerate(widths[:-1]):
        try:
            outcomes = ranks.outcomes(width, train_case, replace(case, last=last))
        except CutShortError:
            continue
        assert isinstance(outcomes[0], CutShortError)

    finished: list[Trained] = ranks.run(widths[-1], train_case, case)

    for each in finished:
        assert each.distance(alone) < ROUNDING
        assert len(each.history) == 4
    assert finished[0].reported == [(epoch, epoch < len(widths) - 1) for epoch in range(4)]
    # Rank 0 has written all checkpoints.
    assert [path.name for path in tmp_path.iterdir()] == ["epochs"]


def test_a_damaged_checkpoint_restarts_all_ranks(ranks: RankPool, tmp_path: Path) -> None:
    case = Case(checkpoint=tmp_path / "epochs")
    (tmp_path / "epochs").write_bytes(b"damaged")
    alone = train_case(SOLO, Case())
    assert max(each.distance(alone) for each in ranks.run(2, train_case, case)) < ROUNDING


@pytest.mark.parametrize("rank", [0, 1])
def test_all_ranks_see_that_the_clips_of_one_diverge(ranks: RankPool, rank: int) -> None:
    outcomes = ranks.outcomes(2, train_case, Case(broken_rank=rank))
    assert [type(outcome) for outcome in outcomes] == [DivergedError, DivergedError]
    assert outcomes[0].got == outcomes[1].got
    assert math.isnan(float(outcomes[0].got.split()[0]))
