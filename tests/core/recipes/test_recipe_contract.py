"""The contract of recipes: registered ones pass the suite, and each broken one is refused with its fault."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autohier.config.search.loading import load_params, load_space
from autohier.config.trial.recipes import RECIPES
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import StageRequest
from autohier.core.recipes.chain import chain_kind, chain_label, stage_epochs, stage_kinds
from autohier.core.recipes.check import check_recipe
from autohier.core.stages.kinds.attention import (
    ATTENTION,
    BODY_BASE,
    FIXED_POSE,
    LEFT_HAND_BASE,
    POSE_BASE,
    RIGHT_HAND_BASE,
)
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE, Pass2
from autohier.core.stages.kinds.joint import ELEMENT_BASE, EVENT_BASE, JOINT, SET_BASE
from autohier.errors import InputError
from autohier.extensions import Extension
from autohier.testing.recipes import RecipeContract
from support.fakes.fake_packages import EXAMPLES, installed_example, run_with_example

PART_ATTENTION = ("clips={input='parts+skeletons'}", "recognizer={name='part-attention-i3d'}")
THREE_PATHWAY = ("recognizer={name='three-pathway', element_frames=8}", "pass_2.heads=last")


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, which offers "heads-only"."""
    with installed_example("autohier-stage-kind", tmp_path_factory.mktemp("example")):
        yield


class TestHac(RecipeContract):
    recipe = "hac"


class TestJoint(RecipeContract):
    recipe = "joint"
    overrides = THREE_PATHWAY


class TestAttention(RecipeContract):
    recipe = "attention"
    overrides = PART_ATTENTION


class TestHeadsOnly(RecipeContract):
    recipe = "heads-only"


def test_every_own_recipe_is_tested() -> None:
    own = [name for name in RECIPES.names if RECIPES.source(name).package == "autohier"]
    assert sorted(own) == [TestAttention.recipe, TestHac.recipe, TestJoint.recipe]


class Unregistered(Pass2):
    """A stage kind that no package registers."""

    name = "unregistered"


def no_superclasses_first(_: TrialConfig, ends: Any) -> Any:
    return (yield from hac_with(ends, first=PASS_2))


def never_ends(*_: Any) -> Any:
    while True:
        yield StageRequest(PASS_1)


def one_pass_too_few(*_: Any) -> Any:
    stages = [(yield StageRequest(PASS_1))]
    stages.append((yield StageRequest(PASS_2, tuple(stages))))
    return tuple(stages)


def unnumbered(_: TrialConfig, ends: Any) -> Any:
    return (yield from hac_with(ends, number=lambda _: 1))


def wrong_ancestors(_: TrialConfig, ends: Any) -> Any:
    return (yield from hac_with(ends, ancestors=lambda stages: stages[-1:]))


def half_the_results(_: TrialConfig, ends: Any) -> Any:
    return (yield from hac_with(ends))[1:]


def unregistered_kind(_: TrialConfig, ends: Any) -> Any:
    return (yield from hac_with(ends, second=Unregistered()))


def own_accuracies(_: TrialConfig, ends: Any) -> Any:
    return (yield from hac_with(lambda accuracies: ends([0.5 for _ in accuracies])))


def hac_with(
    ends: Any, *, first: Any = PASS_1, second: Any = PASS_2, number: Any = len, ancestors: Any = tuple
):
    """Yield the requests of HAC with one thing changed."""
    stages = [(yield StageRequest(first))]
    stages.append((yield StageRequest(second, tuple(stages))))
    while not ends([stage.accuracy for stage in stages[1:]]):
        request = StageRequest(PRUNE, ancestors(tuple(stages)), pass_index=number(stages[1:]))
        stages.append((yield request))
    return tuple(stages)


BROKEN = {
    no_superclasses_first: r"stage 1 \(pass-2\) has superclasses, in a trial with 0 pruning",
    never_ends: "end the chain when 'ends' returns True, but got more than 100 stages",
    one_pass_too_few: "it does not ask 'ends' with the objective's values of its chain",
    unnumbered: r"stage 4 \(prune\) has pass index 1 instead of 2, in a trial with 3 pruning passes",
    wrong_ancestors: r"stage 3 \(prune\) does not name all earlier stages",
    half_the_results: "it does not return the results of all requests in order",
    unregistered_kind: r"stage 2 \(unregistered\) is of a kind that no package registers",
    own_accuracies: "it does not ask 'ends' with the objective's values of its chain",
    lambda *_: None: "be a generator function, but got one that returns NoneType",
}


@pytest.fixture
def config() -> TrialConfig:
    space = load_space("demo")
    return space.config(load_params(space, ["passes=7"]), seed=0)


@pytest.mark.parametrize(("builder", "fault"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_recipe_that_breaks_the_contract_is_refused(
    builder: Any, fault: str, config: TrialConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES._own, "broken", SimpleNamespace(load=lambda: builder))
    with pytest.raises(InputError, match=rf"recipe 'broken' must .*{fault}"):
        check_recipe(config.model_copy(update={"recipe": "broken"}))


def test_a_recipe_that_does_not_ask_with_the_objective_is_refused(
    config: TrialConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_class = config.model_copy(update={"objective": "mean-class"})
    check_recipe(by_class)
    monkeypatch.setitem(
        RECIPES._own, "accurate", SimpleNamespace(load=lambda: lambda _, ends: hac_with(ends))
    )
    accurate = {"recipe": "accurate"}
    check_recipe(config.model_copy(update=accurate))
    with pytest.raises(InputError, match="it does not ask 'ends' with the objective's values of its chain"):
        check_recipe(by_class.model_copy(update=accurate))


def test_hac_is_two_passes_and_pruning_passes(config: TrialConfig) -> None:
    assert stage_kinds(config, 0) == (PASS_1, PASS_2)
    assert stage_kinds(config, 2) == (PASS_1, PASS_2, PRUNE, PRUNE)
    assert [chain_label(config, kept) for kept in range(3)] == ["pass 2", "prune 1", "prune 2"]


def test_joint_is_a_base_for_each_level_a_joint_stage_and_pruning_passes() -> None:
    space = load_space("demo", ["recipe=joint", *THREE_PATHWAY])
    config = space.config(load_params(space, []), seed=0)
    bases = (ELEMENT_BASE, SET_BASE, EVENT_BASE)
    assert stage_kinds(config, 0) == (*bases, JOINT)
    assert stage_kinds(config, 2) == (*bases, JOINT, PRUNE, PRUNE)
    assert [chain_label(config, kept) for kept in range(2)] == ["joint", "prune 1"]
    assert [kind.label(0) for kind in bases] == ["element base", "set base", "event base"]
    assert stage_epochs(config, 1) == {
        ("element-base", 0, None): 24,
        ("set-base", 0, 4): 24,
        ("event-base", 0, 2): 24,
        ("joint", 0, (2, 4), (0.25, 0.5, 1.0)): 8,
        ("prune", 1, (2, 4), (0.25, 0.5, 1.0), "layerwise", 0.1): 3,
    }


def test_attention_is_a_base_for_each_member_two_stages_on_all_and_pruning_passes() -> None:
    space = load_space("demo", ["recipe=attention", *PART_ATTENTION, "pass_1.attention_epochs=5"])
    config = space.config(load_params(space, []), seed=0)
    bases = (BODY_BASE, LEFT_HAND_BASE, RIGHT_HAND_BASE, POSE_BASE)
    assert stage_kinds(config, 1) == (*bases, ATTENTION, FIXED_POSE, PRUNE)
    assert [chain_label(config, kept) for kept in range(2)] == ["fixed pose", "prune 1"]
    assert [epochs for key, epochs in stage_epochs(config, 0).items()] == [24, 24, 24, 24, 5, 8]


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (("recipe=attention",), "trains the whole recognizer part-attention-i3d, but got inflated-resnet18"),
        (
            ("recipe=attention", *PART_ATTENTION, "recognizer.member=body"),
            "but got part-attention-i3d with member body",
        ),
        (
            ("recipe=attention", *PART_ATTENTION, "recognizer.start=ntu60"),
            "trains the members alone first, but got recognizer.start = '.*ntu60'; set start_left_hand",
        ),
        (("recipe=attention", *PART_ATTENTION, "pass_2.start=initial"), "leave pass_2.start at 'pass-1'"),
    ],
)
def test_attention_refuses_settings_that_it_cannot_train(overrides: tuple[str, ...], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        load_space("demo", overrides)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        (
            "recognizer={name='inflated-resnet18'}",
            "trains the recognizer three-pathway, but got",
        ),
        ("pass_2.start=initial", "the joint stage of recipe joint starts from its bases"),
        ("recognizer.start=weights.pth", "from recognizer.weights or random ones, but got recognizer.start"),
        (
            "recognizer.element_frames=3",
            "clips.num_frames to be a multiple of recognizer.element_frames 3",
        ),
    ],
)
def test_a_config_that_joint_cannot_train_is_an_input_error(override: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        load_space("demo", ["recipe=joint", *THREE_PATHWAY, override])


def test_kinds_and_labels_follow_the_recipe_of_the_config() -> None:
    space = load_space("demo", ["recipe=heads-only"])
    config = space.config(load_params(space, []), seed=0)
    assert config.recipe == "heads-only"
    assert chain_label(config, 0) == "heads only"
    assert chain_kind(config, 1) == PRUNE


def test_an_unknown_recipe_is_an_input_error_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"recipe: unknown recipe 'hca': did you mean 'hac'\?"):
        load_space("demo", ["recipe=hca"])


def test_a_missing_builder_is_an_input_error(config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES._own, "gone", Extension("autohier.core.recipes.gone:gone"))
    with pytest.raises(InputError, match="the builder of an extension must be an importable"):
        check_recipe(config.model_copy(update={"recipe": "gone"}))


def test_configs_of_before_the_setting_are_of_hac(config: TrialConfig) -> None:
    earlier = config.model_dump(mode="json", exclude={"recipe"})
    assert TrialConfig.model_validate(earlier).recipe == "hac"


def test_a_recipe_of_a_package_passes_the_suite_in_a_process_of_its_own(tmp_path: Path) -> None:
    test_file = EXAMPLES / "autohier-stage-kind" / "tests" / "test_heads_only.py"
    arguments = ("-m", "pytest", "-p", "no:cacheprovider", shutil.copy(test_file, tmp_path))
    assert "5 passed" in run_with_example("autohier-stage-kind", tmp_path / "site", *arguments)
