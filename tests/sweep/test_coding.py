"""Every choice of a space survives the way through the study's parameters."""

from hypothesis import given
from hypothesis import strategies as st

from autohier.settings.loading import load_space, shipped_spaces
from autohier.sweep.coding import decode, distributions, encode

SPACES = {name: load_space(name) for name in shipped_spaces()}


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
    }
    assert set(params) == set(distributions(space))
    choice = decode(space, params)
    assert decode(space, encode(space, choice)) == choice


def test_known_settings_survive():
    for space in SPACES.values():
        for known in space.known:
            assert decode(space, encode(space, known.as_choice())) == known.as_choice()
