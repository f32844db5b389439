"""Estimating the cost of a sweep before it runs."""
