"""Names the trial scheduler ``median``. Checking a plan imports this module, so it imports nothing heavy."""

from autohier.extensions import Extension

extension = Extension("autohier_scheduler.median_rule:build")
