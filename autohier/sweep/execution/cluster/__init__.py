"""The machines of a sweep: joining a Ray cluster, and watching over its machines."""
