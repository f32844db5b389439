"""Models in use: export of a winner or a fusion, and predictions for new clips."""
