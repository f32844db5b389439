"""The stand-in: HAC's numbers where HAC has them, and the noise of a validation split."""

from statistics import mean, stdev

import pytest

from autohier.settings.choice import Choice
from autohier.settings.loading import load_space
from autohier.sweep.standin import StandIn

NOISELESS = StandIn(reference=(2, 6, 20), num_validation_clips=10**12)


def choice(scope="altogether", ratio=0.10, superclasses=(2, 6, 20), weight_ratio=0.5):
    return Choice(superclasses=superclasses, weight_ratio=weight_ratio, scope=scope, ratio=ratio, passes=7)


def values(stand_in, drawn, num_passes):
    return [stand_in.value(drawn, 0, k) for k in range(num_passes + 1)]


@pytest.mark.parametrize(
    ("scope", "ratio", "printed"),
    [
        # Table 9, NTU60 cross-subject: full model, then pass after pass.
        ("altogether", 0.10, [95.45, 95.52, 95.61, 95.60, 95.66, 95.41, 95.47]),
        ("by-layer", 0.10, [95.45, 95.37, 95.50, 95.64, 95.14, 95.39]),
    ],
)
def test_the_published_chains(scope, ratio, printed):
    assert NOISELESS.value(choice(), 0, None) == pytest.approx(0.9529, abs=1e-5)
    chain = values(NOISELESS, choice(scope, ratio), len(printed) - 1)
    assert [100 * value for value in chain] == pytest.approx(printed, abs=1e-3)


def test_beyond_the_published_passes_each_loses_three_tenths_of_a_point():
    chain = values(NOISELESS, choice(), 8)
    assert [100 * value for value in chain[6:]] == pytest.approx([95.47, 95.17, 94.87], abs=1e-3)


def test_pruning_nothing_changes_nothing():
    assert values(NOISELESS, choice(ratio=0.0), 3) == pytest.approx([0.9545] * 4, abs=1e-5)


def test_an_octave_beside_the_best_counts_loses_two_hundredths_of_a_point():
    doubled = NOISELESS.value(choice(superclasses=(4, 6, 20)), 0, 0)
    assert 100 * doubled == pytest.approx(95.45 - 0.02, abs=1e-3)
    farther = NOISELESS.value(choice(superclasses=(8, 12, 20)), 0, 0)
    assert 100 * farther == pytest.approx(95.45 - 0.02 * (2**2 + 1**2), abs=1e-3)


def test_equal_weights_lose_three_hundredths_of_a_point():
    assert 100 * NOISELESS.value(choice(weight_ratio=1.0), 0, 0) == pytest.approx(95.42, abs=1e-3)


def test_the_noise_is_that_of_the_validation_clips():
    stand_in = StandIn(reference=(2, 6, 20), num_validation_clips=400)
    drawn = [stand_in.value(choice(), seed, None) for seed in range(400)]
    # sqrt(0.9529 * 0.0471 / 400) = 0.0106, give or take 1 / sqrt(2 * 400) of it.
    assert stdev(drawn) == pytest.approx(0.0106, rel=0.12)
    assert mean(drawn) == pytest.approx(0.9529, abs=3 * 0.0106 / 20)


def test_a_value_is_the_same_whenever_it_is_asked_for():
    first, second = (StandIn(reference=(2, 6, 20), num_validation_clips=100) for _ in range(2))
    assert values(first, choice(), 4) == values(second, choice(), 4)
    assert first.value(choice(), 0, 1) != first.value(choice(), 1, 1)


def test_settings_that_share_a_stage_share_its_value():
    stand_in = StandIn(reference=(2, 6, 20), num_validation_clips=10_000)
    other = choice(scope="by-layer", ratio=0.2)
    assert stand_in.value(choice(), 0, 0) == stand_in.value(other, 0, 0)
    assert stand_in.value(choice(), 0, 1) != stand_in.value(other, 0, 1)


def test_a_stage_climbs_to_its_value():
    climb = [NOISELESS.after_epoch(0.8, epoch, 4) for epoch in range(4)]
    # Before its first epoch it would lack 35%, which falls as the square of what is left to train.
    assert climb == pytest.approx([0.8 * (1 - 0.35 * (left / 4) ** 2) for left in (3, 2, 1, 0)])
    assert climb == sorted(climb)


@pytest.mark.parametrize(
    ("space", "overrides", "reference", "pass_1", "is_published"),
    [
        ("ntu60", (), (2, 6, 20), 0.9529, True),
        ("ntu60", ("protocol.name=cross-view",), (2, 6, 20), 0.9834, True),
        ("utd_mhad", (), (3, 9), 0.8255, True),
        ("demo", (), (2, 4), 0.75, False),
        # Without a known setting: 12 classes to the powers of a third and two thirds.
        ("demo", ("known=[]",), pytest.approx((2.289, 5.241), abs=1e-3), 0.75, False),
    ],
)
def test_what_is_known_of_a_space(space, overrides, reference, pass_1, is_published):
    stand_in = StandIn.of_space(load_space(space, overrides), 72)
    assert stand_in.reference == reference
    assert (stand_in.pass_1, stand_in.is_published, stand_in.num_validation_clips) == (
        pass_1,
        is_published,
        72,
    )


def test_other_datasets_gain_by_the_errors_that_are_left():
    stand_in = StandIn(reference=(3, 9), num_validation_clips=10**12, pass_1=0.8255)
    # 0.16 points where 4.71% of the clips are wrong, so 0.16 * 17.45 / 4.71 = 0.593 where 17.45% are.
    assert 100 * stand_in.value(choice(superclasses=(3, 9)), 0, 0) == pytest.approx(83.143, abs=1e-3)


def test_variants_and_training_settings_differ_by_noise_where_they_change_a_stage():
    stand_in = StandIn(reference=(2, 6, 20), num_validation_clips=10_000)
    plain, other = choice(), choice().model_copy(update={"variant": "other"})
    assert all(
        one != two for one, two in zip(values(stand_in, plain, 2), values(stand_in, other, 2), strict=True)
    )
    assert stand_in.value(plain, 0, None) != stand_in.value(other, 0, None)
    pruned = choice().model_copy(update={"settings": (("pruning.epochs", 3),)})
    assert stand_in.value(plain, 0, 0) == stand_in.value(pruned, 0, 0)
    assert stand_in.value(plain, 0, 1) != stand_in.value(pruned, 0, 1)
    assert NOISELESS.value(plain, 0, 1) == pytest.approx(NOISELESS.value(other, 0, 1), abs=1e-5)
