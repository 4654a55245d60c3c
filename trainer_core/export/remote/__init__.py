"""Code that travels with an index-backed export; it runs in transformers, without this project."""
