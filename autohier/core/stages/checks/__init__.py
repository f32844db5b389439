"""Checks before a stage is computed: its memory, and settings that look like mistakes."""
