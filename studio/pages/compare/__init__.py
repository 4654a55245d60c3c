"""Runs side by side: curves, gains by match length, settings."""
