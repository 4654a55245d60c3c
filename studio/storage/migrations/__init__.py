"""The history of hearth.db's tables; Alembic walks it, `database.py` calls Alembic."""
