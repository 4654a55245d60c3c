"""Measuring a model on held-out text: what, when, and the figures."""
