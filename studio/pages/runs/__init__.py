"""The list of all runs: find, organise, open, throw away."""
