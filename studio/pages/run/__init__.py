"""The page of one run: head, tiles, charts, samples, events, notes."""
