"""Sampling: the space of codes, the samplers of Optuna and of packages, and hyperparameters from both."""
