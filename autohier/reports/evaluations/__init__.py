"""Reports on test results, predictions and robustness of models."""
