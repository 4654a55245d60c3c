"""Measures what this computer can train: real steps, each way to train in a process of its own."""
