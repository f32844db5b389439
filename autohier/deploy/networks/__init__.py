"""Exported networks: the runtimes that run them, and the formats that they are written in."""
