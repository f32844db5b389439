"""Worlds: true accuracies by hand from HAC's tables, and the spread of drawn worlds."""

from math import exp, log, log2
from statistics import mean, median, stdev

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS, Hyperparameters
from autohier.sweep.planning.simulation.regimes import NULL, B, N
from autohier.sweep.planning.simulation.world import World, hashed_normal

DEMO = load_space("demo")
HAND = {
    "best_counts": (2, 4),
    "weight_shift": 0.0,
    "weight_scale": 1.0,
    "best_sparsity": {"layerwise": 0.28, "global": 0.24},
}


def world(regime=B, seed=0, **changes):
    return World(regime=regime, seed=seed, **{**HAND, **changes})


def params(scope="layerwise", ratio=0.10, superclasses=(2, 4), weight_ratio=0.5, **others):
    return Hyperparameters(
        superclasses=superclasses, weight_ratio=weight_ratio, scope=scope, ratio=ratio, passes=3, **others
    )


def gain(of_world, changed, pass_index=0, reference=None, reference_pass=0):
    """Return a config's logit above that of the published config."""
    return of_world.logit(changed, pass_index) - of_world.logit(reference or params(), reference_pass)


def test_pass_1_is_the_regime_s():
    assert world().accuracy(FLAT_PARAMS, None) == pytest.approx(0.75)
    assert world(N).accuracy(params(), None) == pytest.approx(0.95)


def test_pass_2_gains_what_small_datasets_and_ntu_gained():
    # Roughness is 0.04 times a normal draw.
    rough = 0.04 * hashed_normal("roughness", 0, 2, 4)
    assert world().logit(params(), 0) == pytest.approx(log(3) + 0.17 + rough)
    assert world(N).logit(params(), 0) == pytest.approx(log(19) + 0.08 + rough)


@pytest.mark.parametrize(
    ("weight_ratio", "printed"),
    # Table 1 at ratios 1/4, 1/3, 1, 2, 4; then halfway between 1/2 and 1, and beyond the last by its slope.
    [(0.25, -0.11), (1 / 3, -0.10), (1.0, -0.19), (2.0, -0.505), (4.0, -0.84), (0.5**0.5, -0.095)],
)
def test_the_weights_of_table_1(weight_ratio, printed):
    assert gain(world(), params(weight_ratio=weight_ratio)) == pytest.approx(printed, abs=1e-4)


def test_beyond_the_table_its_last_slope_continues():
    # (-0.84 + 0.554) / (2 - 1.585) = -0.689 per octave, and -0.14 an octave below the other end.
    assert gain(world(), params(weight_ratio=8.0)) == pytest.approx(-0.84 - 0.286 / 0.415, abs=1e-4)
    assert gain(world(), params(weight_ratio=2**-3.5)) == pytest.approx(-0.18 - 0.14, abs=1e-4)


def test_the_best_weight_ratio_moves_and_the_curve_scales():
    moved = world(weight_shift=1.0, weight_scale=2.0)
    # The best ratio is 1; there 0.5 is an octave below, where ratio 0.25 was.
    assert gain(moved, params(weight_ratio=1.0)) == pytest.approx(2 * 0.11, abs=1e-4)


def test_counts_lose_a_tenth_per_mean_squared_octave():
    # 4/8 is an octave from 2/4 at both levels, 2/8 at one of two. Roughness averages out over worlds.
    losses = [
        mean(gain(world(seed=seed), params(superclasses=counts)) for seed in range(400))
        for counts in ((4, 8), (2, 8))
    ]
    assert losses == pytest.approx([-0.10, -0.05], abs=4 * 0.04 * 2**0.5 / 20)


def test_roughness_belongs_to_counts_and_world():
    spread = stdev(world(seed=seed).logit(params(), 0) for seed in range(400))
    assert spread == pytest.approx(0.04, rel=0.12)
    assert world().logit(params(), 0) == world().logit(params(scope="global"), 0)


@pytest.mark.parametrize(
    ("scope", "ratio", "passes", "expected"),
    [
        # A tenth of the filters, best at 0.28: 0.15 * (1 - (1 - 0.1 / 0.28)^2) = 0.088; shock 2 * 0.01.
        ("layerwise", 0.10, 1, 0.03 + 0.0880 - 0.02),
        # 0.271 of the filters, all but at the best; three shocks.
        ("layerwise", 0.10, 3, 0.03 + 0.1498 - 0.06),
        # 0.657 are 1.346 times the best beyond it: 0.15 * (1 - 2 * 1.346^2); three shocks of 0.18.
        ("layerwise", 0.30, 3, 0.03 - 0.3938 - 0.54),
        # Global: 0.3439 are 0.4329 times the best beyond it: 0.15 * (1 - 20 * 0.4329^2).
        ("global", 0.10, 4, 0.03 - 0.4122 - 0.08),
        # Retraining alone.
        ("global", 0.0, 1, 0.03),
        ("layerwise", 0.0, 3, 0.03),
    ],
)
def test_pruning_by_hand(scope, ratio, passes, expected):
    pruned = params(scope, ratio)
    assert gain(world(), pruned, passes) == pytest.approx(expected, abs=1e-3)


def test_global_pruning_collapses_on_small_datasets_alone():
    # Table 11, N-UCLA view 1, after 10% four times: 40.62%, from 88.78%. Table 9, NTU60: 95.66%, from 95.45%.
    pruned = params("global", 0.10)
    assert gain(world(B), pruned, 5) < -1.0
    assert -0.1 < gain(world(N), pruned, 4) < 0.2


def test_every_config_of_the_null_world_is_equal():
    drawn = World.draw(DEMO, NULL, 3)
    configs = (params("global", 0.3), params(superclasses=(5, 6), weight_ratio=2.0), params())
    assert {round(drawn.accuracy(config, k), 12) for config in configs for k in (None, 0, 3)} == {0.75}


def test_variants_and_training_settings_do_not_differ():
    other = params(variant="other", settings=(("pass_2.epochs", 3),))
    assert gain(world(), other, 2, params(), 2) == 0


def test_drawn_worlds_spread_as_documented():
    worlds = [World.draw(DEMO, B, seed) for seed in range(400)]
    # A standard deviation of n = 400 is known to 1 / sqrt(2 n) = 3.5%.
    assert stdev(one.weight_shift for one in worlds) == pytest.approx(0.6, rel=0.12)
    assert stdev(log(one.weight_scale) for one in worlds) == pytest.approx(0.3, rel=0.12)
    for scope, best in (("layerwise", 0.28), ("global", 0.24)):
        logs = [log(one.best_sparsity[scope]) for one in worlds]
        assert stdev(logs) == pytest.approx(0.35, rel=0.12)
        assert exp(median(logs)) == pytest.approx(best, rel=0.1)
    near = [one for one in worlds if any(count != round(count) for count in one.best_counts)]
    assert len(near) == pytest.approx(200, abs=40)
    # Near 2/4, the initial config's counts, with 0.25 octaves of deviation.
    assert stdev(log2(one.best_counts[1] / 4) for one in near) == pytest.approx(0.25, rel=0.2)
    anywhere = {one.best_counts for one in worlds if one not in near}
    assert anywhere <= {(a, b) for a in DEMO.allowed_counts for b in DEMO.allowed_counts if a < b}
    assert len(anywhere) == 10


def test_a_world_depends_on_its_seed_alone():
    assert World.draw(DEMO, B, 5) == World.draw(DEMO, B, 5)
    assert World.draw(DEMO, B, 5) != World.draw(DEMO, B, 6)
    # The regime changes noise and size, not where the optimum is.
    assert World.draw(DEMO, N, 5).best_counts == World.draw(DEMO, B, 5).best_counts


def test_without_initial_configs_counts_are_drawn_anywhere():
    space = load_space("demo", ["initial=[]"])
    assert all(World.draw(space, B, seed).best_counts[0] in space.allowed_counts for seed in range(20))


def test_the_first_initial_config_is_good_but_not_best():
    first = DEMO.initial[0].as_params()
    ratios, counts = DEMO.search.weight_ratios, [(2, 3), (2, 4), (3, 4), (3, 5), (4, 6)]
    gaps, ranks = [], []
    for seed in range(40):
        drawn = World.draw(DEMO, B, seed)
        grid = [
            drawn.accuracy(params(superclasses=own, weight_ratio=ratio), 0)
            for own in counts
            for ratio in ratios
        ]
        own = drawn.accuracy(first, 0)
        gaps.append(max(grid) - own)
        ranks.append(sum(one > own for one in grid) / len(grid))
    assert mean(gap > 0.005 for gap in gaps) > 0.7
    assert mean(ranks) < 0.4
