"""Code shared by dataset readers."""
