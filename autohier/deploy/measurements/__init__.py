"""Measurements of models: calibration, accuracy on clips of other datasets, and robustness."""
