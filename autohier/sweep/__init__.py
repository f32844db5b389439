"""The sweep: the only home of Ray and Optuna; a study asks for trials, Ray Tune runs them."""
