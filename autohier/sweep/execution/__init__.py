"""Execution of trials on Ray; the only room that imports Ray."""
