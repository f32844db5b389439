"""Preparation of the training of each stage kind, from its inputs and the weights of its parents alone."""
