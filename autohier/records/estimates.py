"""Estimated accuracy of a trial: what its kept pass can be expected to have on other clips and seeds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimate of the value of a trial's kept pass, by a model of everything that its sweep measured."""

    value: float
    low: float
    """Lower end of its 95% interval."""
    high: float
    """Upper end of its 95% interval."""
    best_probability: float
    """Probability that no other kept pass of the sweep is better."""
    beaten: float
    """Probability that the kept pass with the highest estimate is better."""
