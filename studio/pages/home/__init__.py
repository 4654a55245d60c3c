"""Home: projects, recent runs, the tour."""
