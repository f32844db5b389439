"""Placement of trials by Ray Tune; a module of its own, because importing Tune takes long."""

from __future__ import annotations

from typing import Any

from ray.tune import PlacementGroupFactory
from ray.util.placement_group import PlacementGroup, placement_group

from autohier.sweep.execution.cluster.placement import admitted_only


class AdmittedPlacement(PlacementGroupFactory):
    """A trial's share of one machine that is not refused at the moment when the trial starts."""

    def to_placement_group(self) -> PlacementGroup:
        """Ask Ray for the share; Ray Tune calls this for every trial that starts."""
        selector: dict[str, Any] = {"bundle_label_selector": [admitted_only()]} if admitted_only() else {}
        return placement_group(self.bundles, strategy=self.strategy, **selector)
