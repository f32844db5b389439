"""Commands on what a sweep found: test, fuse and compact."""
