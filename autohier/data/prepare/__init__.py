"""Preparing datasets into clip stores."""
