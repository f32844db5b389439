"""Fakes at the outer wall: loaders, drivers, stages and installed packages."""
