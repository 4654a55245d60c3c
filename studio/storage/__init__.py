"""What the user organises: projects, names, notes and settings, in one SQLite database."""
