"""Trials may differ in the options of a package's learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.config.search.loading import load_params, load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.schedules import SCHEDULES
from autohier.core.stages.kinds.hac import PASS_1
from autohier.core.stages.stage_key import stage_key
from autohier.errors import InputError
from autohier.sweep.study.sampling.search_space import decode, distributions, encode
from support.fakes.fake_packages import installed_example
from support.fakes.fake_stages import INPUTS

NAME = "optimisation.schedule_options.end"
LINEAR = ("optimisation.schedule=linear", "initial=[]")
SEARCHED = f"search.settings.{NAME}=[0.1, 0.5]"


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, whose schedule "linear" has the option ``end``, by default 0.01."""
    with installed_example("autohier-schedule", tmp_path_factory.mktemp("example")):
        yield


def ends_of(space: SearchSpace) -> dict[str, float]:
    """Return the option of every variant's default config, by the variant's name."""
    configs = {flat.variant: space.config(flat, seed=0) for flat in space.flat_params()}
    return {
        name: config.optimisation.schedule_settings.model_dump()["end"] for name, config in configs.items()
    }


def test_a_searched_option_has_the_sampled_value() -> None:
    space = load_space("demo", [*LINEAR, SEARCHED])
    assert dict(space.search.settings) == {NAME: (0.1, 0.5)}
    assert not space.shares_pass_1
    # The first of the table, which lacks the schedule's own default.
    assert ends_of(space) == {"": 0.1}
    params = ("superclasses=2/4", "weight_ratio=0.5", "scope=layerwise", "ratio=0.1", "passes=0")
    sampled = load_params(space, [*params, f"settings={{'{NAME}'=0.5}}"])
    config = space.config(sampled, seed=0)
    assert config.optimisation.schedule_settings.model_dump() == {"end": 0.5}
    assert space.complete(decode(space, encode(space, sampled))).settings == ((NAME, 0.5),)
    assert set(encode(space, sampled)) == set(distributions(space))


def test_the_own_value_of_the_space_is_the_default_if_the_table_holds_it() -> None:
    assert ends_of(load_space("demo", [*LINEAR, SEARCHED, f"{NAME}=0.5"])) == {"": 0.5}
    table = f"search.settings={{'{NAME}'=[0.1, 0.01]}}"
    assert ends_of(load_space("demo", [*LINEAR, table])) == {"": 0.01}


def test_trials_with_different_options_share_no_stage() -> None:
    space = load_space("demo", [*LINEAR, SEARCHED])
    keys = set()
    for end in (0.1, 0.5):
        flat = space.flat_params()[0].model_copy(update={"settings": ((NAME, end),)})
        optimisation = space.config(flat, seed=0).optimisation
        keys.add(stage_key(PASS_1, INPUTS["pass-1"].model_copy(update={"optimisation": optimisation})))
    assert len(keys) == 2


def test_variants_may_differ_in_an_option_and_in_the_schedule() -> None:
    variants = "search.variants={plain={}, high={optimisation.schedule_options.end=0.5}}"
    space = load_space("demo", [*LINEAR, variants])
    assert ends_of(space) == {"plain": 0.01, "high": 0.5}
    other = "search.variants={linear={}, cosine={optimisation.schedule='cosine'}}"
    space = load_space("demo", [*LINEAR, f"{NAME}=0.2", other])
    cosine = space.config(space.flat_params()[1], seed=0).optimisation
    assert (cosine.schedule, cosine.schedule_options) == ("cosine", ())


FILE = """
name = "mine"
dataset = "demo"
num_classes = 12
search.levels = 1
search.settings.optimisation.schedule_options.end = [0.1, 0.5]
search.variants.same = {}
search.variants.high.optimisation.schedule_options.end = 0.5
search.variants.other.optimisation.schedule = "also-linear"

[optimisation]
schedule = "linear"
"""


def test_an_option_set_on_the_command_line_holds_for_every_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCHEDULES._own, "also-linear", SCHEDULES.find("linear"))
    path = tmp_path / "mine.toml"
    path.write_text(FILE)
    assert ends_of(load_space(str(path))) == {"same": 0.1, "high": 0.5, "other": 0.1}
    space = load_space(str(path), [f"{NAME}=0.2"])
    assert space.search.settings == {}
    assert ends_of(space) == {"same": 0.2, "high": 0.2, "other": 0.2}


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (
            ["search.settings.optimisation.schedule_options.edn=[0.1]"],
            "unknown setting '.*edn': did you mean 'end'",
        ),
        (["search.settings.optimisation.schedule_options.end=[2.0]"], "end must be at most 1, but got 2"),
        ([SEARCHED, "optimisation.schedule=cosine"], "unknown setting 'optimisation.schedule_options.end'"),
        (["search.settings.clips.flip.x=[1]"], "unknown setting 'clips.flip.x': did you mean 'flip'"),
    ],
)
def test_wrong_options_are_refused(overrides: list[str], error: str) -> None:
    with pytest.raises(InputError, match=error):
        load_space("demo", [*LINEAR, *overrides])
