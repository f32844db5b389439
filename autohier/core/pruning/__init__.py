"""Filter choice, masks, compaction, cost and the stop rule of pruning passes."""

from autohier.core.pruning.compaction import compact
from autohier.core.pruning.cost import Cost, measure_cost
from autohier.core.pruning.filters import choose_filters
from autohier.core.pruning.masks import FilterMasks
from autohier.core.pruning.stop_rule import StopRule
from autohier.core.pruning.widths import load_compacted

__all__ = [
    "Cost",
    "FilterMasks",
    "StopRule",
    "choose_filters",
    "compact",
    "load_compacted",
    "measure_cost",
]
