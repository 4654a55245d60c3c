"""Writes the documents of a corpus out for other programs."""
