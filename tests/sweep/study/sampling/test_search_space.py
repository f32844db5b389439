"""The Optuna search space: encoding and decoding every config of a search space."""

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from autohier.config.search.loading import load_space, shipped_spaces
from autohier.sweep.study.sampling.search_space import decode, distributions, encode, prefix_names
from support.sweep_runs.varied_spaces import varied_demo

SPACES = {name: load_space(name) for name in shipped_spaces()} | {"varied": varied_demo()}


@given(data=st.data(), name=st.sampled_from(sorted(SPACES)))
def test_every_sample_decodes_to_a_config_that_encodes_to_itself(data, name):
    space = SPACES[name]
    search = space.search
    encoded = {
        **{f"fanout_{level + 1}": data.draw(st.floats(0, 1)) for level in range(search.levels)},
        "weight_ratio": data.draw(st.integers(0, len(search.weight_ratios) - 1)),
        "scope": data.draw(st.sampled_from(search.scopes)),
        "ratio": data.draw(st.integers(0, len(search.ratios) - 1)),
        "passes": data.draw(st.integers(0, search.max_passes)),
        **({"variant": data.draw(st.sampled_from(sorted(search.variants)))} if search.variants else {}),
        **{name: data.draw(st.integers(0, len(table) - 1)) for name, table in search.settings.items()},
    }
    assert set(encoded) == set(distributions(space))
    params = decode(space, encoded)
    assert decode(space, encode(space, params)) == params


def test_initial_configs_decode_to_themselves():
    for space in SPACES.values():
        for initial in space.initial:
            if initial.off_grid:
                continue
            complete = space.complete(initial.as_params())
            assert decode(space, encode(space, initial.as_params())) == complete


def test_variants_and_searched_settings_add_parameters():
    names = {"fanout_1", "fanout_2", "weight_ratio", "scope", "ratio", "passes"}
    assert set(distributions(SPACES["demo"])) == names
    assert set(distributions(SPACES["varied"])) - names == {
        *("variant", "clips.min_scale", "pass_2.learning_rate", "pruning.norm"),
    }


def test_only_ascending_numbers_are_ordered():
    space = varied_demo(
        "search.settings.clips.min_scale=[1.0, 0.5]", "search.settings.clips.flip=[false, true]"
    )
    of_name = distributions(space)
    assert of_name["variant"] == CategoricalDistribution(("plain", "wide", "deep"))
    assert of_name["pass_2.learning_rate"] == IntDistribution(0, 1)
    for name in ("clips.min_scale", "clips.flip", "pruning.norm"):
        assert of_name[name] == CategoricalDistribution((0, 1))


def test_an_initial_config_without_a_variant_gets_the_first_one():
    space = SPACES["varied"]
    encoded = encode(space, space.initial[0].as_params())
    # The demo's own min_scale of 1.0 is third in its table; 1e-3 and l2 are first in theirs.
    assert {name: encoded[name] for name in ("variant", *space.search.settings)} == {
        "variant": "plain",
        "clips.min_scale": 2,
        "pass_2.learning_rate": 0,
        "pruning.norm": 0,
    }


def test_a_prefix_holds_the_parameters_that_pass_2_depends_on():
    assert prefix_names(SPACES["demo"]) == ["fanout_1", "fanout_2", "weight_ratio"]
    assert prefix_names(SPACES["varied"]) == [
        *("fanout_1", "fanout_2", "weight_ratio", "variant", "clips.min_scale", "pass_2.learning_rate"),
    ]
