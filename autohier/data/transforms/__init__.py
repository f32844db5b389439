"""Transforms of frames and skeletons, for preparation and for batches on the device."""
