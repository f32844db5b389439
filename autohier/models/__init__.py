"""Recognizers: networks with ordered stacks, and the heads that stand on them."""

from autohier.models.build import build_recognizer

__all__ = ["build_recognizer"]
