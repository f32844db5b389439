import json
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.core.pruning import StopRule
from autohier.errors import InputError

COLUMNS = json.loads(Path(__file__).with_name("early_stop_tables.json").read_text())["columns"]
BY_NAME = {f"{c['dataset']} {c['split']} {c['scope']}": c for c in COLUMNS}

# HAC's tables call the scopes "altogether" and "by layers".  # language: quote
# Printed chains for which an interpretation of ties stops elsewhere, and the pass at which it stops.
OFF_BY_DROP = {"N-UCLA view3 global": 2, "N-UCLA view2 layerwise": 2}
OFF_BY_HOLD = {"NTU120 cross-setup layerwise": None}

chains = st.lists(st.integers(0, 4), min_size=1, max_size=12)
patiences = st.integers(1, 4)


def last_pass(rule: StopRule, accuracies: list[float]) -> int | None:
    """Return the pass at which the rule stops a chain, or None."""
    ends = (k for k in range(1, len(accuracies)) if rule.should_stop(accuracies[: k + 1]))
    return next(ends, None)


def test_all_sixteen_tables_are_loaded() -> None:
    assert len(BY_NAME) == 16


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize(("ties", "exceptions"), [("drop", OFF_BY_DROP), ("hold", OFF_BY_HOLD)])
def test_printed_chains_end_where_the_rule_stops(
    name: str, ties: Literal["drop", "hold"], exceptions: dict[str, int | None]
) -> None:
    accuracies = BY_NAME[name]["accuracies"]
    printed = len(accuracies) - 1
    assert last_pass(StopRule(ties=ties), accuracies) == exceptions.get(name, printed)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_printed_best_pass_is_kept(name: str) -> None:
    assert StopRule().best_pass(BY_NAME[name]["accuracies"]) == BY_NAME[name]["best_pass"]


def test_the_earliest_of_equals_is_kept() -> None:
    assert StopRule().best_pass([0.5, 0.7, 0.6, 0.7]) == 1


def test_the_best_allowed_pass_is_kept_and_the_best_of_all_if_none_is_allowed() -> None:
    accuracies = [0.9, 0.7, 0.8, 0.8]
    assert StopRule().best_pass(accuracies, [False, True, True, True]) == 2
    assert StopRule().best_pass(accuracies, [False] * 4) == 0


def test_the_unpruned_model_does_not_end_a_chain() -> None:
    assert not StopRule(patience=1).should_stop([0.5])


def test_equal_to_the_best_is_not_bad() -> None:
    assert last_pass(StopRule(), [0.9, 0.8, 0.9, 0.8, 0.9]) is None


def test_passes_are_compared_with_the_best_not_with_the_one_before() -> None:
    assert last_pass(StopRule(), [0.9, 0.7, 0.8]) == 2


def test_a_held_tie_neither_counts_nor_resets_the_count() -> None:
    accuracies = [0.9, 0.8, 0.8, 0.8, 0.7]
    assert last_pass(StopRule(ties="drop"), accuracies) == 2
    assert last_pass(StopRule(ties="hold"), accuracies) == 4


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_patience_is_the_number_of_bad_passes(patience: int) -> None:
    assert last_pass(StopRule(patience=patience), [0.9, 0.8, 0.7, 0.6, 0.5]) == patience


@given(chains, patiences)
def test_the_rule_equals_its_definition(accuracies: list[float], patience: int) -> None:
    # bad(k) iff a_k < max(a_0 .. a_{k-1}); stop after the first k whose last `patience` passes are all bad.
    bad = [k > 0 and accuracies[k] < max(accuracies[:k]) for k in range(len(accuracies))]
    ends = (k for k in range(patience, len(bad)) if all(bad[k - patience + 1 : k + 1]))
    assert last_pass(StopRule(patience=patience), accuracies) == next(ends, None)


@given(chains, chains, patiences, st.sampled_from(["drop", "hold"]))
def test_a_chain_that_has_ended_stays_ended(
    accuracies: list[float], later: list[float], patience: int, ties: Literal["drop", "hold"]
) -> None:
    rule = StopRule(patience=patience, ties=ties)
    if rule.should_stop(accuracies):
        assert rule.should_stop(accuracies + later)


@given(chains, patiences)
def test_holding_ties_never_stops_earlier(accuracies: list[float], patience: int) -> None:
    if StopRule(patience=patience, ties="hold").should_stop(accuracies):
        assert StopRule(patience=patience, ties="drop").should_stop(accuracies)


@pytest.mark.parametrize("accuracies", [[], [0.5, float("nan")]])
def test_missing_or_nan_accuracies_are_refused(accuracies: list[float]) -> None:
    with pytest.raises(InputError, match="must begin with the unpruned model's accuracy and hold numbers"):
        StopRule().should_stop(accuracies)
    with pytest.raises(InputError, match="must begin with the unpruned model's accuracy and hold numbers"):
        StopRule().best_pass(accuracies)


def test_settings_outside_their_range_are_refused() -> None:
    with pytest.raises(InputError, match="patience of a stop rule must be at least 1, but got 0"):
        StopRule(patience=0)
    with pytest.raises(InputError, match="ties must be 'drop' or 'hold', but got 'keep'"):
        StopRule(ties="keep")  # type: ignore[arg-type]
