"""Choice among the measured networks of a sweep: a model of what is signal and what is noise."""
