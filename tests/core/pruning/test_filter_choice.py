from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from autohier.core.pruning import FilterMasks, choose_filters
from autohier.errors import DivergedError, InputError
from autohier.models.recognizer import PrunableFilters

Scope = Literal["global", "layerwise"]
scopes = st.sampled_from(["global", "layerwise"])
norms = st.sampled_from(["l2", "layer-mean"])
# Few distinct values, so that ties are common.
layers_of_norms = st.lists(
    st.lists(st.integers(1, 4).map(float), min_size=1, max_size=12), min_size=1, max_size=4
)


def layer(name: str, norms: Sequence[float]) -> PrunableFilters:
    """A convolution whose filters have the given l2 norms: two weights, 0.6 and 0.8 of each."""
    convolution = nn.Conv3d(2, len(norms), 1, bias=False)
    with torch.no_grad():
        convolution.weight[:, :, 0, 0, 0] = torch.outer(torch.tensor(norms), torch.tensor([0.6, -0.8]))
    return PrunableFilters(name, convolution, nn.BatchNorm3d(len(norms)))


def layers(*norms: Sequence[float]) -> list[PrunableFilters]:
    return [layer(f"layer{i}", each) for i, each in enumerate(norms)]


def dead(masks: dict[str, Tensor]) -> list[list[int]]:
    return [(~mask).nonzero().flatten().tolist() for mask in masks.values()]


def all_alive(filters: list[PrunableFilters]) -> dict[str, Tensor]:
    return FilterMasks.all_alive(filters).to_state()


NORMS = ([5.0, 1.0, 4.0, 2.0], [30.0, 10.0, 40.0, 3.0])


@pytest.mark.parametrize(
    ("scope", "norm", "expected"),
    [
        # Half of 8 filters: 1, 2, 3 and 4 are the lowest norms.
        ("global", "l2", [[1, 2, 3], [3]]),
        # Half of the 4 filters of each layer.
        ("layerwise", "l2", [[1, 3], [1, 3]]),
        # Means 3 and 20.75 give 1.67 .33 1.33 .67 and 1.45 .48 1.93 .14; the lowest are .14 .33 .48 .67.
        ("global", "layer-mean", [[1, 3], [1, 3]]),
        ("layerwise", "layer-mean", [[1, 3], [1, 3]]),
    ],
)
def test_the_filters_with_the_lowest_norms_are_pruned(
    scope: Scope, norm: Literal["l2", "layer-mean"], expected: list[list[int]]
) -> None:
    filters = layers(*NORMS)
    assert dead(choose_filters(filters, all_alive(filters), ratio=0.5, scope=scope, norm=norm)) == expected


def test_dead_filters_are_neither_chosen_nor_counted_again() -> None:
    filters = layers([1.0, 2.0, 3.0, 4.0])
    first = choose_filters(filters, all_alive(filters), ratio=0.5, scope="layerwise")
    FilterMasks(first).apply(filters)
    second = choose_filters(filters, first, ratio=0.5, scope="layerwise")
    assert dead(first) == [[0, 1]]
    assert dead(second) == [[0, 1, 2]]


def test_the_layer_mean_covers_alive_filters_only() -> None:
    # 5 / 5.25 is below the 1 of the other layer; with the dead filter the mean would be 3.5, and 5 / 3.5 > 1.
    filters = layers([0.0, 5.0, 5.5], [6.0, 6.0, 6.0])
    alive = all_alive(filters)
    alive["layer0"][0] = False
    masks = choose_filters(filters, alive, ratio=0.2, scope="global", norm="layer-mean")
    assert dead(masks) == [[0, 1], []]


@pytest.mark.parametrize("scope", ["global", "layerwise"])
def test_each_pass_prunes_the_ratio_of_the_alive_filters(scope: Scope) -> None:
    # 1000, 900, 810, 729, 656.1, rounded to the nearest integer at every pass.
    filters = layers([float(1 + i) for i in range(1000)])
    alive = all_alive(filters)
    for expected in (900, 810, 729, 656):
        alive = choose_filters(filters, alive, ratio=0.1, scope=scope)
        assert int(alive["layer0"].sum()) == expected


def test_a_weak_layer_keeps_its_floor_and_other_layers_lose_more() -> None:
    filters = layers([0.1, 0.4, 0.2], [5.0, 6.0, 7.0])
    alive = all_alive(filters)
    assert dead(choose_filters(filters, alive, ratio=0.5, scope="global")) == [[0, 2], [0]]
    assert dead(choose_filters(filters, alive, ratio=0.5, scope="global", floor=2)) == [[0], [0]]
    assert dead(choose_filters(filters, alive, ratio=0.9, scope="layerwise")) == [[0, 2], [0, 1]]
    assert dead(choose_filters(filters, alive, ratio=0.9, scope="layerwise", floor=5)) == [[], []]


def test_ties_are_broken_by_layer_then_by_index() -> None:
    filters = layers([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert dead(choose_filters(filters, all_alive(filters), ratio=0.5, scope="global")) == [[0, 1], [0]]


def test_ratio_zero_prunes_nothing() -> None:
    filters = layers(*NORMS)
    for scope in ("global", "layerwise"):
        assert dead(choose_filters(filters, all_alive(filters), ratio=0.0, scope=scope)) == [[], []]


@given(layers_of_norms, scopes, norms, st.floats(0, 0.99), st.integers(1, 4), st.integers(1, 3))
def test_every_pass_prunes_the_weakest_alive_filters_above_the_floor(
    norm_lists: list[list[float]],
    scope: Scope,
    norm: Literal["l2", "layer-mean"],
    ratio: float,
    floor: int,
    num_passes: int,
) -> None:
    filters = layers(*norm_lists)
    alive = all_alive(filters)
    for _ in range(num_passes):
        chosen = choose_filters(filters, alive, ratio=ratio, scope=scope, norm=norm, floor=floor)
        for each in filters:
            before, after = alive[each.name], chosen[each.name]
            assert not (after & ~before).any()
            assert int(after.sum()) >= min(floor, int(before.sum()))
            strength = each.convolution.weight.detach().flatten(1).norm(dim=1)
            pruned = before & ~after
            if pruned.any():
                assert strength[pruned].max() <= strength[after].min()
        assert list(chosen) == [each.name for each in filters]
        num_pruned = sum(int((alive[name] & ~chosen[name]).sum()) for name in chosen)
        assert num_pruned <= ratio * sum(int(mask.sum()) for mask in alive.values()) + 0.5 * len(filters)
        alive = chosen


def test_the_given_masks_are_not_changed_and_new_masks_share_no_memory() -> None:
    filters = layers(*NORMS)
    alive = all_alive(filters)
    chosen = choose_filters(filters, alive, ratio=0.5, scope="global")
    assert all(mask.all() for mask in alive.values())
    assert len({mask.untyped_storage().data_ptr() for mask in chosen.values()}) == 2


@pytest.mark.parametrize("ratio", [-0.1, 1.0, float("nan")])
def test_ratios_outside_their_range_are_refused(ratio: float) -> None:
    filters = layers(*NORMS)
    with pytest.raises(InputError, match=r"ratio must lie in \[0, 1\)"):
        choose_filters(filters, all_alive(filters), ratio=ratio, scope="global")


def test_invalid_arguments_are_refused() -> None:
    filters = layers(*NORMS)
    alive = all_alive(filters)
    with pytest.raises(InputError, match="keep at least one filter, but got floor 0"):
        choose_filters(filters, alive, ratio=0.1, scope="global", floor=0)
    with pytest.raises(InputError, match="must have filters to prune"):
        choose_filters([], {}, ratio=0.1, scope="global")
    with pytest.raises(InputError, match=r"layer1 must have a bool mask of shape \(4,\), but got none"):
        choose_filters(filters, {"layer0": alive["layer0"]}, ratio=0.1, scope="global")
    with pytest.raises(InputError, match=r"layer0 must have .*, but got torch\.bool of shape \(3,\)"):
        choose_filters(filters, alive | {"layer0": torch.ones(3).bool()}, ratio=0.1, scope="global")
    with pytest.raises(InputError, match=r"layer0 must have .*, but got torch\.float32 of shape \(4,\)"):
        choose_filters(filters, alive | {"layer0": torch.ones(4)}, ratio=0.1, scope="global")


def test_a_network_that_is_not_finite_cannot_be_pruned() -> None:
    filters = layers([1.0, float("nan")])
    with pytest.raises(DivergedError, match="finite to be ranked, but got a NaN or infinite norm in layer0"):
        choose_filters(filters, all_alive(filters), ratio=0.5, scope="global")
