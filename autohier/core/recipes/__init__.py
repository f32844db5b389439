"""Trial recipes: which stages a trial runs, in which order; `hac.py` is the method on one page."""
