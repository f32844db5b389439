"""Recorders: write the rows of trials, of other work and of progress while it is computed."""
