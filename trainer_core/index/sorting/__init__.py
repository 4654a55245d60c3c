"""Sorts contexts, settles each token's longest match on the way, and merges what was sorted."""
