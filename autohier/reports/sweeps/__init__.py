"""Reports on sweeps as wholes: lists of them, comparisons, and what a running one does."""
