"""Records of a sweep: Parquet rows and TensorBoard events."""
