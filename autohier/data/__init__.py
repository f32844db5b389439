"""Data: dataset readers, preparation, the store of prepared clips, splits and clip inputs."""
