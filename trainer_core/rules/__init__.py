"""A rule task from its lines to its score: prepare, train, evaluate, each a job of one job."""
