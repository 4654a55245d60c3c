"""Checkpoints: written whole or not at all, found, thinned out and resumed from."""
