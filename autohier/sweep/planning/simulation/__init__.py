"""Simulated sweeps: the search, against a world of accuracies and on a counted clock."""
