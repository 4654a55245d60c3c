"""The playground: prompt, text by tokens, and where it came from."""
