"""The queue: who waits, in which order, and when each may begin."""
