"""Starting weights of recognizers: reading files, names of other packages, and fitting by name."""
