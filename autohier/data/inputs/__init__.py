"""Clip inputs: what recognizers of each kind read of a store."""
