"""Accelerators lent to stages: a broker, a worker on each accelerator, and trials that compute on them."""
