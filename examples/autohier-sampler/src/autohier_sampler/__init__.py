"""Names the sampler ``halton``. Checking a plan imports this module, so it imports nothing heavy."""

from autohier.extensions import Extension

extension = Extension("autohier_sampler.halton:build")
