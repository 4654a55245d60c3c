"""The beginning of sources, as `prepare` would read it; the verb `preview`."""
