"""Stages: the cached steps of a trial (pass 1, pass 2, prune k) and the store they live in."""
