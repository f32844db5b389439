"""TensorBoard views of a sweep: curves, pictures and the HPARAMS table."""
