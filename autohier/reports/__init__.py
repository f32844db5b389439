"""Reports: what is drawn from the records."""
