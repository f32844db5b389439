"""Commands on models: test, fuse, export, predict, recognize live and compact."""
