"""Charts: lines that keep every spike, drawn in a few milliseconds at any length."""
