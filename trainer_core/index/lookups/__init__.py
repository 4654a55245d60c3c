"""Looks contexts up in an opened index: one, many at once, and texts that grow by a token."""
