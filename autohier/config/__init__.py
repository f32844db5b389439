"""Settings: what a user writes (TOML, --set) as frozen, checked models; reads neither data nor torch."""
