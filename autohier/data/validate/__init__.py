"""Checks of a dataset's own files before preparation."""
