"""The tokenizer lab: tokenizers trained and compared on the same text."""
