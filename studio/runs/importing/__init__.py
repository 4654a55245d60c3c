"""Curves of other programs as runs: their logs read, looked at, and kept as reference runs."""
