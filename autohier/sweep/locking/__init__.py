"""One driver per sweep: the lock of its folder."""
