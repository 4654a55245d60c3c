"""Settings: look, folders, keys, versions."""
