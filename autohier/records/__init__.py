"""Records: what a sweep writes down, as Parquet rows and as TensorBoard events."""
