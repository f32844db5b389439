"""Recognizers: networks with ordered stacks, and the heads on top of their stacks."""

from autohier.models.build import build_recognizer, count_parameters
from autohier.models.recognizer import PrunableFilters, Recognizer

__all__ = ["PrunableFilters", "Recognizer", "build_recognizer", "count_parameters"]
