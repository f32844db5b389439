"""Corruption of clips at test time, which measures how robust a model is."""
