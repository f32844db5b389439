"""The generated dataset: people with a planted similarity tree, filmed and written as NTU RGB+D files."""
