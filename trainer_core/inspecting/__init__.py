"""Shows batches of a training as the model will see them."""
