"""Numbered migrations of the import's database, run by Alembic on SQLite and PostgreSQL alike."""
