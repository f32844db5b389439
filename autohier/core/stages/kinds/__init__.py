"""Stage kinds: pass 1, pass 2 and pruning passes of HAC, and the registry of other kinds."""
