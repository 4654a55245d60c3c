"""The transformer and its match input: tensors in, logits out, nothing about files or jobs."""
