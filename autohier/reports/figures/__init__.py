"""Figures of a sweep for its page and for papers."""
