"""A Gaussian process of the measured accuracies, whose parameters maximize their posterior density.

An accuracy after a pass is a constant, plus the components of its config (signal), plus those of its run and
an error of its own (noise). A value at a rung within pass 2 is another constant, plus a multiple of the same,
plus an error with a variance of its own: so a rung says as much about the end of pass 2 as the trials that
passed it show. Numbers are in log-odds around the mean accuracy, where effects are alike for easy and for
hard datasets.

Rasmussen & Williams, "Gaussian Processes for Machine Learning" (2006), algorithm 2.1 and equation 5.9.

Sizes: N measurements, C candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from autohier.sweep.choice.components import Component, Matrix, Searched, run_noise, signal
from autohier.sweep.choice.measured import Measured

_VAGUE = 4.0
"""Standard deviation of the constants, which are as good as free."""
_WIDTH, _SLOPE_WIDTH = 0.7, 0.4
"""Standard deviations of the natural logarithms of standard deviations and of slopes, before measuring."""
_TYPICAL_ERROR, _TYPICAL_RUNG_ERROR = 0.4, 0.15
"""Error after a pass, as a multiple of the binomial deviation; further error at a rung, in log-odds."""
_TYPICAL_SLOPE = 0.8
_MAX_LOG = 3.0
"""Farthest that a parameter goes from its typical value, in its widths."""
_MAX_FITTED = 200
"""Measurements that the parameters are estimated from; more would not change them, and take long."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Joint normal distribution of the accuracies of candidates, without noise."""

    means: Matrix
    sds: Matrix
    spread: Matrix
    """C x N matrix whose rows' inner products are what the measurements took from the prior covariance."""
    prior: Matrix
    """Prior covariance of the candidates, C x C."""

    def covariance(self, chosen: Sequence[int]) -> Matrix:
        """Return the covariance of some of the candidates."""
        index = np.asarray(chosen)
        spread = self.spread[index]
        return cast("Matrix", self.prior[np.ix_(index, index)] - spread @ spread.T)

    def difference_variances(self, first: int) -> Matrix:
        """Return the variance of the difference between one candidate and each."""
        own = np.diag(self.prior) - (self.spread**2).sum(axis=1)
        with_first = self.prior[first] - self.spread @ self.spread[first]
        return np.asarray(own + own[first] - 2 * with_first)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Estimated parameters of the model, in log-odds."""

    sds: Mapping[str, float]
    """Standard deviation of each component, by name."""
    error: float
    """Standard deviation of the error after a pass."""
    slopes: Mapping[int, float]
    """Of the value at each rung against that after pass 2, by the rung's epoch."""
    rung_errors: Mapping[int, float]
    """Standard deviation of the error at each rung, by its epoch."""


class NoiseModel:
    """The model of one sweep's measurements.

    Args:
        measured: one of every stage, in a fixed order.
        num_clips: number of validation clips.
    """

    def __init__(self, measured: Sequence[Measured], num_clips: int) -> None:
        self._measured = measured
        self._searched = Searched.of(measured)
        values = np.array([each.value for each in measured])
        is_final = np.array([each.rung_epoch is None for each in measured])
        centre = float(np.median(values[is_final])) if is_final.any() else float(np.median(values))
        self._centre = min(max(centre, 0.5 / num_clips), 1 - 0.5 / num_clips)
        self._unit = self._centre * (1 - self._centre)
        self._binomial = float((num_clips * self._unit) ** -0.5)
        self._rungs = sorted({each.rung_epoch for each in measured if each.rung_epoch is not None})
        self.values = self._without_collapses((values - self._centre) / self._unit)
        """Measured values in log-odds around the median."""
        self._logs = self._fit(self._sample())

    @property
    def run_sd(self) -> float:
        """Standard deviation of an accuracy after a pass, over runs that share their pass 1."""
        found = self.parameters
        return float(self._unit * np.hypot(found.sds["run"], found.error))

    @property
    def parameters(self) -> Parameters:
        """The estimated parameters."""
        names = self.density(range(1)).names
        found = [float(each) for each in np.exp(self._logs)]
        of_rungs = found[len(names) + 1 :]
        return Parameters(
            sds=dict(zip(names, found, strict=False)),
            error=found[len(names)],
            slopes=dict(zip(self._rungs, of_rungs[::2], strict=True)),
            rung_errors=dict(zip(self._rungs, of_rungs[1::2], strict=True)),
        )

    def _without_collapses(self, values: Matrix) -> Matrix:
        """Lift values of collapsed networks: how far they fell says nothing about the best."""
        kinds = np.array([each.rung_epoch or 0 for each in self._measured])
        lifted = values.copy()
        for kind in np.unique(kinds):
            own = values[kinds == kind]
            middle = np.median(own)
            deviation = max(1.4826 * float(np.median(np.abs(own - middle))), self._binomial)
            lifted[kinds == kind] = np.maximum(own, middle - 3 * deviation)
        return lifted

    def _sample(self) -> list[int]:
        """Return measurements to estimate the parameters from: whole prefixes, drawn at random."""
        by_prefix: dict[object, list[int]] = {}
        for index, each in enumerate(self._measured):
            by_prefix.setdefault(each.params.prefix, []).append(index)
        groups, sample = list(by_prefix.values()), list[int]()
        for position in np.random.default_rng(0).permutation(len(groups)):
            if sample and len(sample) + len(groups[position]) > _MAX_FITTED:
                continue
            sample += groups[position]
        return sorted(sample[:_MAX_FITTED])

    def _fit(self, sample: Sequence[int]) -> Matrix:
        """Return the logarithms of all parameters with the highest posterior density."""
        density = self.density(sample)
        bounds = [
            (centre - _MAX_LOG * width, centre + _MAX_LOG * width)
            for centre, width in zip(density.centres, density.widths, strict=True)
        ]
        found = minimize(
            density.negative,
            density.centres,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 60},
        )
        return cast("Matrix", found.x)

    def density(self, chosen: Sequence[int] | None = None) -> Density:
        """Return the density of the parameters given some of the measurements; None takes all."""
        index = list(range(len(self._measured)) if chosen is None else chosen)
        measured = [self._measured[position] for position in index]
        components = [*signal(measured, measured, self._searched), *run_noise(measured, self._binomial)]
        return Density(measured, self.values[index], components, self._rungs, self._binomial)

    def posterior(self, candidates: Sequence[Measured]) -> Posterior:
        """Return what is known about the accuracies of networks, over all seeds and clips."""
        density = self.density()
        factor = np.linalg.cholesky(density.covariance(self._logs))
        slopes = density.slopes(self._logs)
        sds = np.exp(self._logs)
        is_final = np.array([each.rung_epoch is None for each in self._measured], dtype=float)
        between, among = (
            sum(sd**2 * part.covariance for sd, part in zip(sds, parts, strict=False))
            for parts in (
                signal(candidates, self._measured, self._searched),
                signal(candidates, candidates, self._searched),
            )
        )
        between = np.asarray(between) * slopes + _VAGUE**2 * is_final
        among = np.asarray(among) + _VAGUE**2
        spread = solve_triangular(factor, between.T, lower=True).T
        weighted = solve_triangular(factor, self.values, lower=True)
        variances = np.maximum(np.diag(among) - (spread**2).sum(axis=1), 0.0)
        unit = self._unit
        return Posterior(
            means=self._centre + unit * (spread @ weighted),
            sds=unit * np.sqrt(variances),
            spread=unit * spread,
            prior=unit**2 * among,
        )


class Density:
    """Posterior density of the parameters, up to a constant.

    Parameters, as natural logarithms: the standard deviation of every component, that of the error after a
    pass, and for each rung its slope and the standard deviation of its error.
    """

    def __init__(
        self,
        measured: Sequence[Measured],
        values: Matrix,
        components: Sequence[Component],
        rungs: Sequence[int],
        binomial: float,
    ) -> None:
        self._values, self._components = values, components
        self.names = [component.name for component in components]
        self._at = [np.array([each.rung_epoch == rung for each in measured], dtype=float) for rung in rungs]
        self._is_final = np.array([each.rung_epoch is None for each in measured], dtype=float)
        typical = [component.typical for component in self._components] + [_TYPICAL_ERROR * binomial]
        of_rungs = [_TYPICAL_SLOPE, _TYPICAL_RUNG_ERROR] * len(rungs)
        self.centres = np.log(typical + of_rungs)
        self.widths = np.array([_WIDTH] * len(typical) + [_SLOPE_WIDTH, _WIDTH] * len(rungs))
        constants = [self._is_final, *self._at]
        self._constants = _VAGUE**2 * sum(np.outer(each, each) for each in constants)

    def slopes(self, parameters: Matrix) -> Matrix:
        """Return the slope of every measurement, 1 after a pass."""
        first = len(self._components) + 1
        slopes = self._is_final.copy()
        for position, at in enumerate(self._at):
            slopes += np.exp(parameters[first + 2 * position]) * at
        return slopes

    def covariance(self, parameters: Matrix) -> Matrix:
        """Return the covariance matrix of the measurements."""
        return self._scaled(parameters) + self._errors(parameters) + self._constants

    def _scaled(self, parameters: Matrix) -> Matrix:
        slopes = self.slopes(parameters)
        total = np.zeros((len(slopes), len(slopes)))
        for log_sd, component in zip(parameters, self._components, strict=False):
            total += np.exp(2 * log_sd) * component.covariance
        return total * np.outer(slopes, slopes)

    def _errors(self, parameters: Matrix) -> Matrix:
        first = len(self._components)
        variances = np.exp(2 * parameters[first]) * self._is_final
        for position, at in enumerate(self._at):
            variances = variances + np.exp(2 * parameters[first + 2 + 2 * position]) * at
        return np.diag(variances + 1e-8)

    def negative(self, parameters: Matrix) -> tuple[float, Matrix]:
        """Return the negative logarithm of the density, and its gradient."""
        scaled, slopes = self._scaled(parameters), self.slopes(parameters)
        factor = cho_factor(scaled + self._errors(parameters) + self._constants, lower=True)
        weights = cho_solve(factor, self._values)
        inverse = cho_solve(factor, np.eye(len(slopes)))
        inner = (inverse - np.outer(weights, weights)) / 2
        by_slope = inner * np.outer(slopes, slopes)
        gradient = [
            2 * np.exp(2 * log_sd) * float((by_slope * component.covariance).sum())
            for log_sd, component in zip(parameters, self._components, strict=False)
        ]
        first, diagonal, rows = len(self._components), np.diag(inner), (inner * scaled).sum(axis=1)
        gradient.append(2 * np.exp(2 * parameters[first]) * float(diagonal @ self._is_final))
        for position, at in enumerate(self._at):
            gradient.append(2 * float(rows @ at))
            error = parameters[first + 2 + 2 * position]
            gradient.append(2 * np.exp(2 * error) * float(diagonal @ at))
        distance = (parameters - self.centres) / self.widths
        likelihood = self._values @ weights / 2 + np.log(np.diag(factor[0])).sum()
        return float(likelihood + distance @ distance / 2), np.array(gradient) + distance / self.widths
