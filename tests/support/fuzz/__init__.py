"""Damaged inputs, and what must hold of every reader of them."""
