"""The wizard: from a dataset to a running training, with its plan always in view."""
