"""Speed of `balanced_partition` compared with a plain loop that recomputes the cost of every swap.

Both descend from the same starts in the same run. The plain loop takes hours for 1000 restarts, so it runs
on the first few and its time is scaled. "greedy" is HAC's method alone; the last number is for all of
`balanced_partition`. Confusion matrices are synthetic: 95% on the diagonal, 276 clips a class, half of the
errors inside hidden blocks.

    python benchmarks/partition.py --restarts 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import combinations, islice
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from autohier.core.hierarchy import balanced_partition, class_graph
from autohier.core.hierarchy.descent import Assignment, Edges
from autohier.core.hierarchy.partition import lowest_descent, partition_cost
from autohier.core.hierarchy.starts import random_starts

_CASES = ((60, 6), (120, 12))
_CLIPS_PER_CLASS = 276


def planted_confusion(num_classes: int, num_superclasses: int, seed: int) -> NDArray[np.int64]:
    """Return counts ``[K, K]`` of a recognizer with 5% errors, half of them inside hidden blocks."""
    random = np.random.default_rng(seed)
    block_K = random.permutation(np.arange(num_classes) % num_superclasses)
    same_KK = block_K[:, None] == block_K
    error_KK = same_KK / same_KK.sum(axis=1, keepdims=True) + 1 / num_classes
    rate_KK = 0.025 * error_KK + 0.95 * np.eye(num_classes)
    return np.stack([random.multinomial(_CLIPS_PER_CLASS, rate_K / rate_K.sum()) for rate_K in rate_KK])


def plain_descent(edges_KK: Edges, assignment_K: Assignment) -> Assignment:
    """Recompute the cost of every swap, make the best swap, and repeat."""
    assignment_K = assignment_K.copy()
    cost = partition_cost(edges_KK, assignment_K)
    while True:
        best_cost, best_pair = cost, (0, 0)
        for i, j in combinations(range(len(assignment_K)), 2):
            if assignment_K[i] != assignment_K[j]:
                assignment_K[[i, j]] = assignment_K[[j, i]]
                swapped_cost = partition_cost(edges_KK, assignment_K)
                assignment_K[[i, j]] = assignment_K[[j, i]]
                if swapped_cost < best_cost:
                    best_cost, best_pair = swapped_cost, (i, j)
        if best_cost == cost:
            return assignment_K
        i, j = best_pair
        assignment_K[[i, j]] = assignment_K[[j, i]]
        cost = best_cost


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def compare(num_classes: int, num_superclasses: int, restarts: int, plain_restarts: int, seed: int) -> str:
    """Return one line: seconds of the plain loop, of the greedy method and of all, and their ratios."""
    confusion_KK = planted_confusion(num_classes, num_superclasses, seed)
    edges_KK = class_graph(confusion_KK)
    starts = list(islice(random_starts(num_classes, num_superclasses, seed), restarts))
    few = starts[:plain_restarts]
    plain_s = seconds(lambda: [plain_descent(edges_KK, start_K) for start_K in few]) * restarts / len(few)
    greedy_s = seconds(lambda: lowest_descent(edges_KK, num_superclasses, starts))
    all_s = seconds(lambda: balanced_partition(confusion_KK, num_superclasses, restarts=restarts, seed=seed))
    return (
        f"K={num_classes} M={num_superclasses}: plain {plain_s:.0f} s, "
        f"greedy {greedy_s:.2f} s ({plain_s / greedy_s:.0f} times faster), "
        f"with two-level starts {all_s:.2f} s ({plain_s / all_s:.0f} times faster)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument(
        "--plain-restarts", type=int, default=2, help="restarts of the plain loop, then scaled"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.restarts} restarts; the plain loop runs {options.plain_restarts} and is scaled")
    for num_classes, num_superclasses in _CASES:
        print(
            compare(num_classes, num_superclasses, options.restarts, options.plain_restarts, options.seed),
            flush=True,
        )


if __name__ == "__main__":
    main()
