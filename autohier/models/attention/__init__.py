"""Networks that weigh parts of a clip by its poses."""
