"""From sources to a corpus: survey, split, tokenise, write; the verb `prepare`."""
