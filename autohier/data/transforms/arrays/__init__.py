"""Transforms of evaluation on arrays, with the rules and shapes of those on tensors; imports no torch."""
