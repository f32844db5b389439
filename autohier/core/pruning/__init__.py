"""Which filters a pruning pass zeroes, how they stay zero, when the chain stops, and what is saved."""

from autohier.core.pruning.cost import Cost, measure_cost
from autohier.core.pruning.filters import choose_filters
from autohier.core.pruning.masks import FilterMasks
from autohier.core.pruning.stop_rule import StopRule

__all__ = ["Cost", "FilterMasks", "StopRule", "choose_filters", "measure_cost"]
