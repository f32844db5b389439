"""Commands on sweeps and trials: plan, run, continue and look into them."""
