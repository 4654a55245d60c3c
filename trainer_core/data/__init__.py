"""Text sources, tokenizers and the corpus: everything between a user's files and token ids."""
