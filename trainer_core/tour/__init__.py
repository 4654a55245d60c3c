"""The tour: the whole main job on the text that every computer with Python has."""
