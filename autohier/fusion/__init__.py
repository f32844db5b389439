"""Late fusion of finished trials: choosing members, fitting weights, evaluating."""
