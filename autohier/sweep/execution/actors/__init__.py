"""Ray actors: one per running trial, and one for work outside the trials."""
