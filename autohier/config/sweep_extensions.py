"""Registries of the samplers and the trial schedulers that a sweep can use.

They are defined here, below the sweep, so that a plan is checked before any data are read. Builders are
named, not imported: their contracts are stated in `autohier.sweep.study.sampling.samplers` and
`autohier.sweep.scheduling.base`.
"""

from __future__ import annotations

from autohier.extensions import Extension, Registry

SAMPLERS = Registry(
    "autohier.samplers",
    "sampler",
    {
        "tpe": Extension("autohier.sweep.study.sampling.samplers:build_tpe"),
        "gp": Extension("autohier.sweep.study.sampling.samplers:build_gp"),
        "random": Extension("autohier.sweep.study.sampling.samplers:build_random"),
    },
)

TRIAL_SCHEDULERS = Registry(
    "autohier.trial_schedulers",
    "trial scheduler",
    {
        "none": Extension("autohier.sweep.scheduling.no_stopping:NoStopping"),
        "successive-halving": Extension("autohier.sweep.scheduling.successive_halving:build"),
        "promising": Extension("autohier.sweep.scheduling.promising:build"),
        "asha": Extension("autohier.sweep.scheduling.asha:build"),
    },
)
