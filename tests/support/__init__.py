"""Fakes, generators and small datasets that tests share."""
