"""Groups of runs: seeds and sweeps, planned, and what they found out."""
