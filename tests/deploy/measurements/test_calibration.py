"""Temperature scaling and the calibration error, against values derived by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.core.training.metrics import Predictions
from autohier.deploy.measurements.calibration import calibration_error, fit_temperature
from autohier.deploy.temperature import scale


def predictions(probabilities: list[list[float]], labels: list[int]) -> Predictions:
    names = tuple(f"clip{index}" for index in range(len(labels)))
    return Predictions(names, np.array(labels), np.array(probabilities, dtype=np.float32))


def test_scaling_by_two_takes_square_roots() -> None:
    # sqrt(0.64) : sqrt(0.36) = 0.8 : 0.6
    np.testing.assert_allclose(scale(np.array([[0.64, 0.36]]), 2.0), [[0.8 / 1.4, 0.6 / 1.4]], rtol=1e-6)


def test_a_probability_of_zero_stays_the_smallest() -> None:
    scaled = scale(np.array([[1.0, 0.0]]), 2.0)
    assert np.isfinite(scaled).all()
    assert scaled[0, 0] > 0.999


def test_the_temperature_makes_an_overconfident_model_as_sure_as_it_is_right() -> None:
    # 3,000 of 4,000 clips are right at a confidence of 0.9. The likelihood is highest where the confidence is
    # 3/4: 9 ** (1 / T) = 3, so that T = 2.
    found = fit_temperature(predictions([[0.9, 0.1]] * 4000, [0, 0, 0, 1] * 1000))
    assert found.temperature == pytest.approx(2.0, rel=2e-3)
    assert found.error_before == pytest.approx(0.15, abs=1e-6)
    assert found.error_after == pytest.approx(0.0, abs=1e-3)
    assert found.num_clips == 4000


def test_few_clips_that_are_all_right_do_not_make_the_model_sure() -> None:
    # Platt's target for four clips is 5/6, the odds 5: 9 ** (1 / T) = 5.
    found = fit_temperature(predictions([[0.9, 0.1]] * 4, [0] * 4))
    assert found.temperature == pytest.approx(np.log(9) / np.log(5), rel=1e-3)


def test_the_calibration_error_weighs_bins_by_their_clips() -> None:
    # Bin (14/15, 1]: two clips at 0.95, one right: |1 - 1.9| / 4. Bin (8/15, 9/15]: two at 0.6, both right:
    # |2 - 1.2| / 4.
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.6, 0.4]])
    error = calibration_error(probabilities, np.array([0, 1, 0, 0]))
    assert error == pytest.approx((0.9 + 0.8) / 4)
