"""Every choice of a space survives the way through the study's parameters."""

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from autohier.settings.loading import load_space, shipped_spaces
from autohier.sweep.coding import decode, distributions, encode, prefix_names
from varied_spaces import varied_demo

SPACES = {name: load_space(name) for name in shipped_spaces()} | {"varied": varied_demo()}


@given(data=st.data(), name=st.sampled_from(sorted(SPACES)))
def test_whatever_is_drawn_is_a_choice_that_encodes_to_itself(data, name):
    space = SPACES[name]
    search = space.search
    params = {
        **{f"fanout_{level + 1}": data.draw(st.floats(0, 1)) for level in range(search.levels)},
        "weight_ratio": data.draw(st.integers(0, len(search.weight_ratios) - 1)),
        "scope": data.draw(st.sampled_from(search.scopes)),
        "ratio": data.draw(st.integers(0, len(search.ratios) - 1)),
        "passes": data.draw(st.integers(0, search.max_passes)),
        **({"variant": data.draw(st.sampled_from(sorted(search.variants)))} if search.variants else {}),
        **{name: data.draw(st.integers(0, len(table) - 1)) for name, table in search.settings.items()},
    }
    assert set(params) == set(distributions(space))
    choice = decode(space, params)
    assert decode(space, encode(space, choice)) == choice


def test_known_settings_survive():
    for space in SPACES.values():
        for known in space.known:
            whole = space.completed(known.as_choice())
            assert decode(space, encode(space, known.as_choice())) == whole


def test_without_variants_and_tables_there_is_nothing_of_them():
    names = {"fanout_1", "fanout_2", "weight_ratio", "scope", "ratio", "passes"}
    assert set(distributions(SPACES["demo"])) == names
    assert set(distributions(SPACES["varied"])) - names == {
        *("variant", "clips.min_scale", "pass_2.learning_rate", "pruning.norm"),
    }


def test_ascending_numbers_are_ordered_and_other_values_are_not():
    space = varied_demo(
        "search.settings.clips.min_scale=[1.0, 0.5]", "search.settings.clips.flip=[false, true]"
    )
    drawn = distributions(space)
    assert drawn["variant"] == CategoricalDistribution(("plain", "wide", "deep"))
    assert drawn["pass_2.learning_rate"] == IntDistribution(0, 1)
    for name in ("clips.min_scale", "clips.flip", "pruning.norm"):
        assert drawn[name] == CategoricalDistribution((0, 1))


def test_a_known_setting_that_names_no_variant_is_one_of_the_first():
    space = SPACES["varied"]
    params = encode(space, space.known[0].as_choice())
    # The demo's own min_scale of 1.0 is the third of its table, 1e-3 and l2 are the first of theirs.
    assert {name: params[name] for name in ("variant", *space.search.settings)} == {
        "variant": "plain",
        "clips.min_scale": 2,
        "pass_2.learning_rate": 0,
        "pruning.norm": 0,
    }


def test_a_prefix_is_all_that_pass_2_follows_from():
    assert prefix_names(SPACES["demo"]) == ["fanout_1", "fanout_2", "weight_ratio"]
    assert prefix_names(SPACES["varied"]) == [
        *("fanout_1", "fanout_2", "weight_ratio", "variant", "clips.min_scale", "pass_2.learning_rate"),
    ]
