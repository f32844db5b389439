"""Pose pickles of PYSKL and MMAction2."""
