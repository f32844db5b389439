"""Small recognizers, and slow references of large ones."""
