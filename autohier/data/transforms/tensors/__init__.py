"""Transforms on tensors: augmentation and heatmaps of whole batches, on the device."""
