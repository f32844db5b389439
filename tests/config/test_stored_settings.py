"""Stored plans of older versions: settings that they lack change nothing."""

from __future__ import annotations

import json
from typing import Any

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.stored_settings import fill_stored_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.recognizers import PoseSlowOnlySettings


def stored(space: SearchSpace) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(space.model_dump_json())
    return values


def network_of(values: dict[str, Any], variant: str = "") -> PoseSlowOnlySettings:
    space = SearchSpace.model_validate(values)
    params = FLAT_PARAMS.model_copy(update={"variant": variant})
    recognizer = space.config(params, seed=0).recognizer
    assert isinstance(recognizer, PoseSlowOnlySettings)
    return recognizer


def test_a_plan_without_the_stem_pool_continues_without_it() -> None:
    values = stored(
        load_space("ntu60_skeleton", ["recognizer={name='pose-slowonly'}", "clips={input='heatmaps'}"])
    )
    assert network_of(values).stem_pool
    del values["recognizer"]["stem_pool"]
    assert not network_of(fill_stored_space(values)).stem_pool


def test_a_variant_that_chooses_the_network_continues_without_it() -> None:
    values = stored(load_space("ntu60_skeleton"))
    assert network_of(values, "pose-slowonly").stem_pool
    assert not network_of(fill_stored_space(values), "pose-slowonly").stem_pool


def test_a_value_that_the_plan_has_stays() -> None:
    values = stored(load_space("ntu60_skeleton"))
    values["search"]["variants"]["pose-slowonly"]["recognizer.stem_pool"] = True
    assert network_of(fill_stored_space(values), "pose-slowonly").stem_pool
    assert SearchSpace.model_validate(fill_stored_space(stored(load_space("demo")))) == load_space("demo")
