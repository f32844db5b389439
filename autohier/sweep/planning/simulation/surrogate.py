"""Surrogate for training: the true accuracies of a world, as trials of a sweep would measure them.

Noise adds to the logit. It is calibrated on 61 trainings of a temporal convolution on UTD-MHAD (21 configs,
3 seeds, 108 validation clips):

- All configs of a seed share a shift, that of their pass 1, with half the standard deviation of a stage.
- The noise of consecutive passes of a chain is correlated: an AR(1) process with coefficient 0.6 and the
  standard deviation of `Regime`. Measured: accuracies of consecutive passes correlate by 0.49.
- Within a stage, every pass 2 rises with a speed of its own and epochs jitter, so that curves cross.
  Measured: the accuracy after 2 of 8 epochs correlates by 0.47 with the best of its chain.
- A measured accuracy is a whole number of clips, so that ties are as frequent as on a validation split.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt
from typing import Protocol

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.planning.simulation.regimes import nearest_regime, pass_1_of
from autohier.sweep.planning.simulation.world import World, hashed_normal

_SHARED_DEVIATION = 0.5
"""Standard deviation of a seed's shift, as a multiple of that of a stage's noise."""
_CARRIED = 0.6
"""Share of a pass's noise that the next pass of its chain carries."""
_LEFT_AT_START, _SPEED, _SPEED_SPREAD = 1.15, 2.0, 0.3
"""Logit that a stage lacks before its first epoch, power of the time left with which it catches up, and
standard deviation of that power's logarithm between stages: assumptions."""
_JITTER = 1.3
"""Standard deviation of an epoch's noise before the last epoch, as a multiple of that of a stage's noise."""


class Surrogate(Protocol):
    """Stands for training in a simulated sweep."""

    def value(self, params: Hyperparameters, seed: int, pass_index: int | None) -> float:
        """Return the validation accuracy after a stage; the same arguments always have the same accuracy.

        Args:
            params: hyperparameters of the trial.
            seed: seed of the trial.
            pass_index: k for the k-th pruning pass, 0 for pass 2, None for pass 1.
        """

    def after_epoch(
        self, params: Hyperparameters, seed: int, pass_index: int | None, epoch: int, num_epochs: int
    ) -> float:
        """Return the validation accuracy after an epoch (from 0) of a stage; its value after the last one."""


@dataclass(frozen=True, slots=True)
class NoisyWorld:
    """Surrogate that adds noise to a world's true accuracies. Implements `Surrogate`."""

    world: World

    def value(self, params: Hyperparameters, seed: int, pass_index: int | None) -> float:
        """See `Surrogate`."""
        return self._whole_clips(self._logit(params, seed, pass_index))

    def after_epoch(
        self, params: Hyperparameters, seed: int, pass_index: int | None, epoch: int, num_epochs: int
    ) -> float:
        """See `Surrogate`."""
        reached = self._logit(params, seed, pass_index)
        left = 1 - (epoch + 1) / num_epochs
        if left > 0:
            stage = self._stage(params, seed, pass_index)
            speed = _SPEED * exp(_SPEED_SPREAD * hashed_normal("speed", *stage))
            jitter = _JITTER * self.world.regime.deviation * hashed_normal("epoch", epoch, *stage)
            reached += jitter - _LEFT_AT_START * left**speed
        return self._whole_clips(reached)

    def _logit(self, params: Hyperparameters, seed: int, pass_index: int | None) -> float:
        shared = _SHARED_DEVIATION * hashed_normal("pass 1", *self._stage(params, seed, None))
        noise = shared + (0.0 if pass_index is None else self._chain_noise(params, seed, pass_index))
        return self.world.logit(params, pass_index) + self.world.regime.deviation * noise

    def _chain_noise(self, params: Hyperparameters, seed: int, pass_index: int) -> float:
        """Return the noise of a pass, in standard deviations."""
        noise = hashed_normal("noise", *self._stage(params, seed, 0))
        for k in range(1, pass_index + 1):
            fresh = hashed_normal("noise", *self._stage(params, seed, k))
            noise = _CARRIED * noise + sqrt(1 - _CARRIED**2) * fresh
        return noise

    def _stage(self, params: Hyperparameters, seed: int, pass_index: int | None) -> tuple[object, ...]:
        """Return the values that identify a stage: trials that share a stage share its noise."""
        if pass_index is None:
            own = params.flat
        else:
            own = (*params.chain, pass_index) if pass_index else params.prefix
        return (self.world.seed, seed, *own)

    def _whole_clips(self, logit: float) -> float:
        num_clips = self.world.regime.num_validation_clips
        return round(num_clips / (1 + exp(-logit))) / num_clips


def surrogate_of(space: SearchSpace, num_validation_clips: int, seed: int) -> NoisyWorld:
    """Draw a surrogate of the regime that is nearest to a search space's dataset.

    Args:
        space: search space of the sweep.
        num_validation_clips: of its dataset.
        seed: of the world.
    """
    pass_1, _ = pass_1_of(space)
    return NoisyWorld(World.draw(space, nearest_regime(num_validation_clips, pass_1), seed))
