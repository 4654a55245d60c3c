"""Adding data: where it is from, what it looks like, how it becomes tokens."""
