"""Phases of a sweep after its search."""
