"""Text from a checkpoint, token by token, with the matches behind it."""
