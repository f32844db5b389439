"""Search space: what a sweep fixes and what it searches, loaded from TOML."""
