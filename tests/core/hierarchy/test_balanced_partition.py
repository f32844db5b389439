import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from autohier.core.hierarchy import balanced_partition, class_graph
from autohier.core.hierarchy.descent import Assignment, Edges, descend
from autohier.core.hierarchy.partition import partition_cost
from autohier.core.hierarchy.starts import random_starts, two_level_starts
from autohier.errors import InputError

CASES = json.loads(Path(__file__).with_name("partition_cases.json").read_text())

# Small values, so that equal gains and equal costs are common.
graphs = st.integers(2, 7).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=k, max_size=k)
)
seeds = st.integers(0, 2**32)


def slow_cost(edges: ArrayLike, assignment: ArrayLike) -> float:
    weights, labels = np.asarray(edges), np.asarray(assignment)
    return float(sum(weights[i, j] for i, j in combinations(range(len(labels)), 2) if labels[i] != labels[j]))


def slow_descent(edges: Edges, start: Assignment) -> Assignment:
    """Descend exactly as HAC 3.3 states: apply the swap that lowers the cost most, the first of equals."""
    current = start.copy()
    while True:
        swaps = []
        for i, j in combinations(range(len(current)), 2):
            swapped = current.copy()
            swapped[i], swapped[j] = current[j], current[i]
            swaps.append(swapped)
        best = min(swaps, key=lambda swapped: slow_cost(edges, swapped))
        if slow_cost(edges, best) >= slow_cost(edges, current):
            return current
        current = best


def balanced_assignments(num_classes: int, num_superclasses: int) -> Iterator[list[int]]:
    """Yield all balanced assignments, each once up to renumbering, built class by class."""
    largest = -(-num_classes // num_superclasses)
    smallest = num_classes // num_superclasses

    def grow(prefix: list[int]) -> Iterator[list[int]]:
        if len(prefix) == num_classes:
            sizes = [prefix.count(s) for s in range(num_superclasses)]
            if min(sizes) >= smallest:
                yield prefix
            return
        for s in range(min(max(prefix, default=-1) + 2, num_superclasses)):
            if prefix.count(s) < largest:
                yield from grow([*prefix, s])

    return grow([])


def random_confusion(num_classes: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).poisson(1.0, (num_classes, num_classes))


def planted_confusion(blocks: Assignment, seed: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(seed)
    return generator.poisson(np.where(blocks[:, None] == blocks, 3.0, 0.2))


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda c: f"{c['matrix']} in {c['num_superclasses']}")
def test_quality_lies_between_the_plain_greedy_and_the_best_known(case: dict[str, object]) -> None:
    confusion = CASES["matrices"][case["matrix"]]
    num_superclasses = case["num_superclasses"]
    assert isinstance(num_superclasses, int)
    # The default of 1000 restarts includes these 200, so that its cost is no higher.
    assignment = balanced_partition(confusion, num_superclasses, restarts=200)
    edges = np.array(confusion) + np.array(confusion).T
    cost = slow_cost(edges, assignment)
    assert case["best_known_cost"] <= cost <= case["greedy_1000_cost"]  # type: ignore[operator]
    assert cost == partition_cost(class_graph(confusion), assignment)
    assert np.ptp(np.bincount(assignment)) == (1 if len(confusion) % num_superclasses else 0)


@pytest.mark.parametrize(
    ("num_classes", "num_superclasses"), [(6, 2), (7, 3), (8, 4), (9, 2), (9, 3), (10, 4)]
)
def test_small_graphs_are_solved_to_the_optimum(num_classes: int, num_superclasses: int) -> None:
    for seed in range(3):
        confusion = random_confusion(num_classes, seed)
        edges = confusion + confusion.T
        optimum = min(slow_cost(edges, each) for each in balanced_assignments(num_classes, num_superclasses))
        assert slow_cost(edges, balanced_partition(confusion, num_superclasses, restarts=60)) == optimum


@pytest.mark.parametrize(("num_classes", "num_superclasses"), [(24, 4), (60, 6), (50, 7)])
def test_planted_superclasses_are_recovered(num_classes: int, num_superclasses: int) -> None:
    blocks = np.random.default_rng(1).permutation(np.arange(num_classes) % num_superclasses)
    recovered = balanced_partition(planted_confusion(blocks, 2), num_superclasses, restarts=30)
    assert ((recovered[:, None] == recovered) == (blocks[:, None] == blocks)).all()


@given(graphs, st.data())
def test_superclasses_are_balanced_and_numbered_by_their_smallest_class(
    confusion: list[list[int]], data: st.DataObject
) -> None:
    num_superclasses = data.draw(st.integers(1, len(confusion)))
    assignment = balanced_partition(confusion, num_superclasses, restarts=2).tolist()
    sizes = [assignment.count(s) for s in range(num_superclasses)]
    assert sum(sizes) == len(confusion)
    assert max(sizes) - min(sizes) <= 1
    smallest = [assignment.index(s) for s in range(num_superclasses)]
    assert smallest == sorted(smallest)


@given(graphs, st.data(), seeds)
def test_descent_makes_the_swaps_of_the_plain_loop(
    confusion: list[list[int]], data: st.DataObject, seed: int
) -> None:
    num_superclasses = data.draw(st.integers(1, len(confusion)))
    edges = class_graph(confusion)
    start = next(random_starts(len(confusion), num_superclasses, seed))
    assert descend(edges, start, num_superclasses).tolist() == slow_descent(edges, start).tolist()


@given(st.integers(0, 50), st.integers(2, 5))
@settings(max_examples=10)
def test_cost_is_never_above_the_plain_greedy_from_the_same_starts(seed: int, num_superclasses: int) -> None:
    confusion = random_confusion(11, seed)
    edges = class_graph(confusion)
    starts = list(islice(random_starts(11, num_superclasses, seed), 4))
    plain = min(slow_cost(edges, slow_descent(edges, start)) for start in starts)
    assert slow_cost(edges, balanced_partition(confusion, num_superclasses, restarts=4, seed=seed)) <= plain


def test_more_restarts_extend_fewer() -> None:
    confusion = random_confusion(40, 0)
    edges = class_graph(confusion)
    answers = [balanced_partition(confusion, 4, restarts=n) for n in range(1, 20)]
    costs = [partition_cost(edges, answer) for answer in answers]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) > 1
    for fewer, more in zip(range(18), range(1, 19), strict=True):
        if costs[fewer] == costs[more]:
            assert answers[fewer].tolist() == answers[more].tolist()


def test_other_seeds_give_other_starts() -> None:
    first, other = (next(random_starts(60, 6, seed)).tolist() for seed in (0, 1))
    assert first != other
    assert sorted(first) == sorted(other)


def test_other_counts_give_other_starts() -> None:
    # With the same permutation, the six superclasses would be halves of the three.
    three, six = (next(random_starts(60, count, 0)) for count in (3, 6))
    assert (six % 3).tolist() != three.tolist()


def test_two_level_starts_are_balanced_if_no_size_divides_another() -> None:
    # 37 classes make 19, 13, 10 or 7 small groups, and 37 is not a multiple of 5 superclasses.
    edges = class_graph(random_confusion(37, 0))
    for start in islice(two_level_starts(edges, 5, 0), 8):
        assert np.bincount(start).tolist().count(8) == 2
        assert np.bincount(start).tolist().count(7) == 3


def test_there_are_no_two_level_starts_if_superclasses_are_as_small_as_groups() -> None:
    assert list(two_level_starts(class_graph(random_confusion(10, 0)), 5, 0)) == []


def test_probabilities_give_the_partition_of_their_counts() -> None:
    # With 2**8 clips per class the probabilities are exact: the graphs differ by a power of two only.
    generator = np.random.default_rng(3)
    counts = np.stack(
        [generator.multinomial(256, row) for row in generator.dirichlet(np.full(30, 0.3), size=30)]
    )
    from_counts = balanced_partition(counts, 5, restarts=20)
    assert balanced_partition(counts / 256, 5, restarts=20).tolist() == from_counts.tolist()
    # Sevenths are not exact, but every descent ends, with the same cost.
    edges = class_graph(counts)
    sevenths = balanced_partition(counts / 7, 5, restarts=20)
    assert partition_cost(edges, sevenths) == partition_cost(edges, from_counts)


def test_another_process_returns_the_same_partition() -> None:
    confusion = random_confusion(30, 5).tolist()
    script = (
        "from autohier.core.hierarchy import balanced_partition\n"
        f"print(balanced_partition({confusion}, 6, restarts=5, seed=9).tolist())"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == balanced_partition(confusion, 6, restarts=5, seed=9).tolist()


@pytest.mark.parametrize(
    ("confusion", "num_superclasses"),
    [
        (np.zeros((120, 120)), 12),
        (np.eye(60), 6),
        (random_confusion(120, 0), 1),
        (random_confusion(120, 0), 120),
    ],
    ids=["zero", "diagonal", "one superclass", "each class alone"],
)
def test_trivial_problems_return_without_a_search(
    confusion: NDArray[np.float64], num_superclasses: int
) -> None:
    # A search with 10**9 restarts would not end.
    assignment = balanced_partition(confusion, num_superclasses, restarts=10**9)
    assert set(np.bincount(assignment)) == {len(confusion) // num_superclasses}


@pytest.mark.parametrize("num_superclasses", [0, 3, -1])
def test_impossible_counts_are_refused(num_superclasses: int) -> None:
    with pytest.raises(InputError, match=f"2 classes have 1 to 2 superclasses, but got {num_superclasses}"):
        balanced_partition([[1, 0], [0, 1]], num_superclasses)


def test_zero_restarts_are_refused() -> None:
    with pytest.raises(InputError, match="at least one restart, but got 0"):
        balanced_partition([[1, 0], [0, 1]], 2, restarts=0)


def test_an_invalid_confusion_matrix_is_refused() -> None:
    with pytest.raises(InputError, match="must be square"):
        balanced_partition([[1, 0]], 1)
