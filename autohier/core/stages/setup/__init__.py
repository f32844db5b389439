"""Setup of a trial: its splits, superclasses and starting weights, and the opening of its stages."""
