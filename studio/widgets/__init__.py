"""The building blocks of every page, painted in the colours of the theme."""
