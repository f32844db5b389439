"""Trial schedulers, early stopping and the failure limit."""
