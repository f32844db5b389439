"""Readers of file formats that do not trust the files."""
