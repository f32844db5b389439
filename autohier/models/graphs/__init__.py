"""Graph networks on skeletons."""
