"""Calibration of confidences: the fit of a temperature, and the calibration error.

Legend: N clips, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from autohier.core.training.metrics import Predictions
from autohier.deploy.model_file import Calibration
from autohier.deploy.temperature import SMALLEST, scale

_NUM_BINS = 15
_LARGEST_LOG = float(np.log(20.0))


def fit_temperature(predictions: Predictions) -> Calibration:
    """Find the temperature that makes the classes of some clips most likely.

    Args:
        predictions: of clips that did not train the network: validation clips, or with folds all training
            clips, each predicted by the network of the fold that held it out.
    """
    probabilities_NK, labels_N = predictions.probabilities_NK, predictions.labels_N
    num_clips, num_classes = probabilities_NK.shape
    # Platt's targets ("Probabilistic Outputs for Support Vector Machines", 1999): clips that are all right
    # would else make the temperature 0, as if no clip could ever be wrong.
    own, others = (num_clips + 1) / (num_clips + 2), 1 / (num_clips + 2) / max(num_classes - 1, 1)
    targets_NK = np.full(probabilities_NK.shape, others)
    targets_NK[np.arange(num_clips), labels_N] = own

    def loss(log_temperature: float) -> float:
        scaled_NK = scale(probabilities_NK, float(np.exp(log_temperature)))
        return float(-(targets_NK * np.log(np.maximum(scaled_NK, SMALLEST))).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(-_LARGEST_LOG, _LARGEST_LOG), method="bounded")
    temperature = float(np.exp(found.x))
    return Calibration(
        temperature=temperature,
        error_before=calibration_error(probabilities_NK, labels_N),
        error_after=calibration_error(scale(probabilities_NK, temperature), labels_N),
        num_clips=num_clips,
    )


def calibration_error(probabilities_NK: NDArray[np.floating], labels_N: NDArray[np.int64]) -> float:
    """Return the expected calibration error over 15 bins of equal width (Guo et al., equation 3).

    It is the mean over clips of the difference between accuracy and mean confidence in the clip's bin, which
    holds the confidences in (b/15, (b+1)/15].
    """
    confidences_N = probabilities_NK.max(axis=1).astype(np.float64)
    right_N = probabilities_NK.argmax(axis=1) == labels_N
    bins_N = np.clip(np.ceil(confidences_N * _NUM_BINS).astype(int) - 1, 0, _NUM_BINS - 1)
    gaps = [
        abs(float((right_N[bins_N == each] - confidences_N[bins_N == each]).sum()))
        for each in range(_NUM_BINS)
    ]
    return sum(gaps) / len(labels_N)
