"""Commands on what a sweep found: test, fuse, export, predict and compact."""
