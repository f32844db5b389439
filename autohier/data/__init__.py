"""Data: readers of datasets, preprocessing, the store of prepared clips, splits and batches."""
