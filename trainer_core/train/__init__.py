"""Training: the loop, what it saves, and what it measures on held-out text."""
