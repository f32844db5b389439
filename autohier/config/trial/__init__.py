"""Settings of one trial: its clips, recognizer, training and hyperparameters."""
