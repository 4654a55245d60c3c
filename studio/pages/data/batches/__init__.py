"""The inspector: the first real batches of a training, token by token."""
