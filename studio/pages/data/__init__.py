"""The Data page: datasets, what is in them, and how to add one."""
