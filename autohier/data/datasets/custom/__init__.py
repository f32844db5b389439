"""A user's own videos and poses."""
