"""Datasets: one reader each, all under the contract in `reader`, found by name in `registry`."""
