"""Confusion matrix -> class graph -> balanced partition -> hierarchy of superclasses."""

from autohier.core.hierarchy.agreement import adjusted_rand_index
from autohier.core.hierarchy.class_graph import class_graph
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.hierarchy.partition import balanced_partition

__all__ = ["Hierarchy", "adjusted_rand_index", "balanced_partition", "class_graph"]
