"""Trainings that wait for each other, started one after the other."""
