from __future__ import annotations

from collections.abc import Mapping
from math import exp, log2
from statistics import mean, pstdev

import numpy as np
import pytest

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.choice.components import Searched, run_noise, signal, sparsity
from autohier.sweep.choice.estimates import Choice, choose
from autohier.sweep.choice.measured import Measured, measured_by_trial, rung_epochs
from autohier.sweep.choice.model import NoiseModel, Parameters
from autohier.sweep.scheduling.rungs import Rungs

_NUM_CLIPS = 72


def params_of(
    weight: float = 0.5, counts: str = "2/4", scope: str = "global", ratio: float = 0.1, passes: int = 3
) -> Hyperparameters:
    return Hyperparameters(superclasses=counts, weight_ratio=weight, scope=scope, ratio=ratio, passes=passes)


def noisy_sweep(num_trials: int, *, noise: float, seed: int = 0) -> list[Measured]:
    """Return trials whose true accuracy falls from 80% with the distance of the weight ratio from 0.5."""
    draw = np.random.default_rng(seed)
    measured = []
    for index in range(num_trials):
        weight = 2 ** float(draw.uniform(-2.5, 1.5))
        true = 0.80 - 0.03 * log2(weight / 0.5) ** 2
        values = [true + float(draw.normal(0, noise)) for _ in range(2)]
        params = params_of(weight, ratio=0.0, passes=1)
        measured += measured_by_trial(f"t{index:04d}", params, 0, values, {2: values[0] - 0.3})
    return measured


def estimates(choice: Choice) -> list[tuple[object, ...]]:
    return [(each.trials, each.pass_index, each.estimate, each.sd) for each in choice.candidates]


def mixed_sweep() -> list[Measured]:
    """Return measurements of every kind: seeds, scopes, chains that part, stopped trials, rungs."""
    one, other = params_of(0.5), params_of(0.5, scope="layerwise", ratio=0.2)
    return [
        *measured_by_trial("t0000", one, 0, [0.75, 0.77, 0.70, 0.72], {2: 0.50}),
        *measured_by_trial("t0001", other, 0, [0.75, 0.78], {2: 0.50}),
        *measured_by_trial("t0002", params_of(1.0, "3/6"), 0, [], {2: 0.40}),
        *measured_by_trial("t0003", one, 7, [0.79, 0.80], {2: 0.55}),
        *measured_by_trial("t0004", params_of(0.25, "2/6", ratio=0.0), 0, [0.74, 0.71], {2: 0.45}),
    ]


def reference_signal(one: Measured, other: Measured, sds: Mapping[str, float]) -> float:
    """Return the covariance of two networks' true accuracies, entry by entry from the definition."""

    def bell(distance: float, length: float) -> float:
        return exp(-(distance**2) / (2 * length**2))

    p, q = one.params, other.params
    octaves = [log2(a / b) ** 2 for a, b in zip(p.superclasses, q.superclasses, strict=True)]
    s, t = sparsity(one), sparsity(other)
    pruned = (bell(s - t, 0.2) - bell(s, 0.2) * bell(t, 0.2)) * (1.0 if p.scope == q.scope else 0.5)
    covariance = sds["loss weights"] ** 2 * bell(log2(p.weight_ratio / q.weight_ratio), 1.25)
    covariance += sds["superclasses"] ** 2 * bell(mean(octaves) ** 0.5, 1.5)
    covariance += sds["pruned share"] ** 2 * pruned
    covariance += sds["retraining"] ** 2 * (one.pass_index > 0 and other.pass_index > 0)
    covariance += sds["prefix"] ** 2 * (p.prefix == q.prefix)
    return covariance + sds["network"] ** 2 * (one.network == other.network)


def reference_run(one: Measured, other: Measured, sds: Mapping[str, float]) -> float:
    if one.seed != other.seed:
        return 0.0
    covariance = sds["seed"] ** 2
    if one.params.prefix != other.params.prefix:
        return covariance
    same_chain = one.params.chain == other.params.chain
    steps = abs(one.pass_index - other.pass_index) if same_chain else one.pass_index + other.pass_index
    return covariance + sds["run"] ** 2 * 0.6**steps


@pytest.fixture(scope="module")
def model() -> NoiseModel:
    return NoiseModel(mixed_sweep_once(), _NUM_CLIPS)


def mixed_sweep_once() -> list[Measured]:
    """Return the measurements of `mixed_sweep` without those of pass 2 that t0001 shares with t0000."""
    return [each for each in mixed_sweep() if not (each.trial == "t0001" and each.pass_index == 0)]


def test_posterior_equals_the_dense_formula(model: NoiseModel) -> None:
    measured = mixed_sweep_once()
    finals = [each for each in measured if each.rung_epoch is None]
    found: Parameters = model.parameters
    size = range(len(measured))
    slopes = [1.0 if each.rung_epoch is None else found.slopes[each.rung_epoch] for each in measured]
    covariance = np.zeros((len(measured), len(measured)))
    for i in size:
        for j in size:
            one, other = measured[i], measured[j]
            shared = reference_signal(one, other, found.sds) + reference_run(one, other, found.sds)
            covariance[i, j] = slopes[i] * slopes[j] * shared + 16.0 * (one.rung_epoch == other.rung_epoch)
        epoch = measured[i].rung_epoch
        covariance[i, i] += (found.error if epoch is None else found.rung_errors[epoch]) ** 2 + 1e-8
    centre = float(np.median([each.value for each in finals]))
    unit = centre * (1 - centre)
    values = [(each.value - centre) / unit for each in measured]
    inverse = np.linalg.inv(covariance)
    posterior = model.posterior(finals)
    for position, candidate in enumerate(finals):
        between = np.array(
            [
                slopes[j] * reference_signal(candidate, measured[j], found.sds)
                + 16.0 * (measured[j].rung_epoch is None)
                for j in size
            ]
        )
        own = reference_signal(candidate, candidate, found.sds) + 16.0
        assert posterior.means[position] == pytest.approx(
            centre + unit * between @ inverse @ values, abs=1e-6
        )
        expected = unit**2 * (own - between @ inverse @ between)
        assert posterior.sds[position] ** 2 == pytest.approx(expected, abs=1e-6)
        assert posterior.covariance([position])[0, 0] == pytest.approx(expected, abs=1e-6)


def test_gradient_of_the_density_equals_its_differences(model: NoiseModel) -> None:
    density = model.density()
    point = density.centres + 0.3
    value, gradient = density.negative(point)
    for position in range(len(point)):
        step = np.zeros(len(point))
        step[position] = 1e-5
        above, below = density.negative(point + step)[0], density.negative(point - step)[0]
        assert gradient[position] == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-4)
    covariance = density.covariance(point)
    determinant = np.linalg.slogdet(covariance)[1]
    values = model.values
    prior = (((point - density.centres) / density.widths) ** 2).sum() / 2
    assert value == pytest.approx(values @ np.linalg.inv(covariance) @ values / 2 + determinant / 2 + prior)


def test_components_are_covariances() -> None:
    measured = mixed_sweep()
    for part in [*signal(measured, measured, Searched.of(measured)), *run_noise(measured, 0.1)]:
        assert np.allclose(part.covariance, part.covariance.T)
        assert np.linalg.eigvalsh(part.covariance).min() > -1e-9, part.name


def test_order_of_the_measurements_changes_nothing() -> None:
    measured = noisy_sweep(12, noise=0.04)
    shuffled = [measured[index] for index in np.random.default_rng(1).permutation(len(measured))]
    assert choose(shuffled, _NUM_CLIPS) == choose(measured, _NUM_CLIPS)


def test_a_shared_stage_counts_once() -> None:
    measured = mixed_sweep()
    again = measured_by_trial("t0009", params_of(0.5, ratio=0.3), 0, [0.75], {2: 0.50})
    once, twice = choose(measured, _NUM_CLIPS), choose([*measured, *again], _NUM_CLIPS)
    shared = next(each for each in twice.candidates if "t0009" in each.trials)
    assert shared.trials == ("t0000", "t0001", "t0003", "t0009")
    assert [row[2:] for row in estimates(once)] == [row[2:] for row in estimates(twice)]


def test_fewer_clips_shrink_the_estimates_more() -> None:
    measured = noisy_sweep(16, noise=0.03)
    spreads = [
        pstdev(each.estimate for each in choose(measured, number).candidates) for number in (40, 400, 40_000)
    ]
    assert spreads == sorted(spreads)
    observed = pstdev(each.observed for each in choose(measured, 40).candidates)
    assert spreads[0] < observed
    assert spreads[-1] > spreads[0] * 1.05


def test_the_highest_estimate_is_truly_better_than_the_highest_measurement() -> None:
    chosen, luckiest, optimism = [], [], []
    for seed in range(8):
        candidates = choose(noisy_sweep(24, noise=0.08, seed=seed), _NUM_CLIPS).candidates
        true = {each: 0.80 - 0.03 * log2(each.params.weight_ratio / 0.5) ** 2 for each in candidates}
        lucky = max(candidates, key=lambda each: each.observed)
        chosen.append(true[candidates[0]])
        luckiest.append(true[lucky])
        optimism.append(lucky.observed - lucky.estimate)
    assert mean(chosen) > mean(luckiest) + 0.002
    assert min(optimism) > 0


def test_stopped_trials_inform_the_estimates() -> None:
    """Trials that were stopped at a rung near a config lower its estimate if their values were low there."""
    trials = [
        each
        for index, (weight, value) in enumerate([(0.25, 0.75), (0.5, 0.75), (1.0, 0.75), (1.5, 0.75)])
        for each in measured_by_trial(f"t{index}", params_of(weight, passes=0), 0, [value], {2: value - 0.3})
    ]
    near_one = [2 ** (step / 20) for step in range(-4, 5)]
    stopped = [Measured(f"s{weight}", params_of(weight), 0, 0, 0.25, 2) for weight in near_one]
    before = {each.params.weight_ratio: each.estimate for each in choose(trials, _NUM_CLIPS).candidates}
    after = {
        each.params.weight_ratio: each.estimate for each in choose([*trials, *stopped], _NUM_CLIPS).candidates
    }
    assert set(after) == {0.25, 0.5, 1.0, 1.5}  # a network that has not finished pass 2 is no candidate
    assert after[1.0] - after[0.25] < before[1.0] - before[0.25] - 0.005


def test_seeds_of_a_config_count_as_one_candidate() -> None:
    two = [
        *measured_by_trial("t0000", params_of(passes=0), 0, [0.70], {}),
        *measured_by_trial("t0001", params_of(passes=0), 1, [0.80], {}),
    ]
    (candidate,) = choose(two, _NUM_CLIPS).candidates
    assert (candidate.observed, candidate.num_seeds, candidate.trials) == (0.75, 2, ("t0000", "t0001"))
    assert candidate.best_probability == 1.0


def test_probabilities_follow_the_evidence() -> None:
    sure = choose(noisy_sweep(10, noise=0.0), 100_000)
    unsure = choose(noisy_sweep(10, noise=0.06), 40)
    for choice in (sure, unsure):
        assert sum(each.best_probability for each in choice.candidates) == pytest.approx(1.0)
        assert 0.5 <= choice.candidates[1].beaten <= 1.0
        assert all(each.interval[0] < each.estimate < each.interval[1] for each in choice.candidates)
    assert max(each.best_probability for each in unsure.candidates) < 0.6


def test_nothing_measured_gives_no_candidate() -> None:
    only_a_rung = [Measured("t0000", params_of(), 0, 0, 0.3, 2)]
    assert choose([], 72).candidates == choose(only_a_rung, 72).candidates == ()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_extreme_accuracies_have_finite_estimates(value: float) -> None:
    trials = [
        each
        for index in range(3)
        for each in measured_by_trial(f"t{index}", params_of(0.5 + index), 0, [value, value], {})
    ]
    choice = choose(trials, 10)
    assert all(np.isfinite([each.estimate, each.sd]).all() for each in choice.candidates)
    assert choice.candidates[0].estimate == pytest.approx(value, abs=0.06)


def test_rung_epochs_keep_the_rungs_within_pass_2() -> None:
    rungs = Rungs(epochs=(2, 8), budgets=(2, 8, 16, 20), reduction_factor=4)
    assert rung_epochs(rungs, {0: 0.3, 1: 0.5, 2: 0.7, 3: 0.8}) == {2: 0.3, 8: 0.5}
