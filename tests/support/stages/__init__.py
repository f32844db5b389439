"""Stages as trials leave them, without trials."""
