"""The shared core: what one trial does."""
