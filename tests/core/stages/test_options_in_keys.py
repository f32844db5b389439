"""Keys of stages and options: what a stage does not compute with is not in its key."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.stage_key import stage_key
from autohier.core.training.devices import Device
from autohier.data.store.reader import ClipStore
from support.fakes.fake_stages import INPUTS, FakeRunner
from support.sources.tiny_clips import (
    tiny_config,
)
from support.stages.trial_keys import keys


def test_the_confusion_behind_the_assignments_is_not_in_the_key(tiny_clips: ClipStore) -> None:
    # Classes k and k + 3 are taken for one another, so three superclasses hold one such pair each; how often
    # they are does not matter.
    confusion_KK = np.eye(6, dtype=np.int64) * 5 + np.roll(np.eye(6, dtype=np.int64), 3, axis=1)
    config, found = tiny_config("pass_2.start=initial", superclasses=(3,)), []
    for weak in (1, 4):
        runner = FakeRunner(confusion_KK=confusion_KK * weak)
        found.append(keys(config, tiny_clips, runner))
        pass_2 = next(inputs for inputs in runner.inputs if "assignments" in type(inputs).model_fields)
        assert pass_2.model_dump()["assignments"] == ((0, 1, 2, 0, 1, 2), (0, 1, 2, 3, 4, 5))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "other",
    [
        Device(torch.device("cuda"), bf16=False, deterministic=True, compile_network=False),
        Device(torch.device("cpu"), bf16=True, deterministic=True, compile_network=False),
        Device(torch.device("cpu"), bf16=False, deterministic=False, compile_network=False),
        Device(torch.device("cpu"), bf16=False, deterministic=True, compile_network=True),
    ],
)
@pytest.mark.parametrize("kind", INPUTS)
def test_what_changes_the_last_bits_changes_every_key(kind: str, other: Device) -> None:
    one = Device(torch.device("cpu"), bf16=False, deterministic=True, compile_network=False)
    assert _key_on(kind, one) != _key_on(kind, other)


def _key_on(kind: str, device: Device) -> str:
    inputs = INPUTS[kind]
    base = inputs.base.model_copy(update={"numerics": device.numerics_class})
    return stage_key(find_stage_kind(kind), inputs.model_copy(update={"base": base}))


def test_options_that_a_schedule_does_not_read_are_not_in_the_key(tiny_clips: ClipStore) -> None:
    cosine = "optimisation.schedule=cosine"
    before = keys(tiny_config(cosine), tiny_clips)
    others = ("optimisation.lr_patience=7", "optimisation.lr_factor=0.5", "optimisation.lr_steps=[0.5]")
    assert keys(tiny_config(cosine, *others), tiny_clips) == before
    assert not set(before) & set(keys(tiny_config(*others), tiny_clips))


def test_the_steps_are_in_the_key_of_multi_step(tiny_clips: ClipStore) -> None:
    steps = "optimisation.schedule=multi-step"
    changed = tiny_config(steps, "optimisation.lr_steps=[0.5]")
    assert not set(keys(tiny_config(steps), tiny_clips)) & set(keys(changed, tiny_clips))


@pytest.mark.parametrize("override", ["optimisation.momentum=0.8", "optimisation.nesterov=false"])
def test_the_momentum_is_in_the_key_of_sgd(tiny_clips: ClipStore, override: str) -> None:
    sgd = "optimisation.optimizer=sgd"
    assert not set(keys(tiny_config(sgd), tiny_clips)) & set(keys(tiny_config(sgd, override), tiny_clips))


def test_the_objective_of_the_search_changes_no_key(tiny_clips: ClipStore) -> None:
    # Each stage of the fake runner has all clips right, so that the chain is as long with either objective.
    config = tiny_config("search.objective=mean-class")
    assert config.objective == "mean-class"
    assert keys(config, tiny_clips) == keys(tiny_config(), tiny_clips)
