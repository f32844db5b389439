"""The store: prepared clips on disk, as Arrow shards under a manifest."""
