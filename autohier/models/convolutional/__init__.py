"""Convolutional networks on frames and heatmaps."""
