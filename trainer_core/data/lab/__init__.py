"""The tokenizer lab: several tokenizers on the same text."""
