"""Plan a sweep: a new plan, its check against the clips, and the weights and packages that it names."""
