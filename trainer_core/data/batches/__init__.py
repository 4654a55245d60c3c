"""Which tokens a training step sees, in which order."""
