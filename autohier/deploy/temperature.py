"""Confidences: temperature scaling of class probabilities.

Legend: N clips, K classes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SMALLEST: Final = float(np.finfo(np.float32).tiny)
"""Smallest probability that counts as above 0."""


def scale(probabilities_NK: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return probabilities whose logarithms are divided by a temperature; their order stays.

    For one network and one frame set this is the softmax of the scores divided by the temperature
    (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 9). Probabilities here are
    averages over frame sets and networks, so their logarithms take the place of the scores.
    """
    logs_NK = np.log(np.maximum(probabilities_NK.astype(np.float64), SMALLEST)) / temperature
    scaled_NK = np.exp(logs_NK - logs_NK.max(axis=1, keepdims=True))
    total: NDArray[np.float64] = scaled_NK / scaled_NK.sum(axis=1, keepdims=True)
    return total
