"""Leases: at most one trial computes a stage while others wait for it."""
