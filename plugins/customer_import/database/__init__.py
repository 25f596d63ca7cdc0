"""The database of the import: tables, migrations, engine. The only package that knows SQL dialects."""
