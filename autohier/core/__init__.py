"""Core: recipes, stages, training, hierarchies and pruning of one trial."""
