"""The stage store: finished stages by key, shared by trials and sweeps."""
