"""Alembic's entry: runs the migrations on the connection that ``customer_import.database.migrate`` hands over."""

from __future__ import annotations

from alembic import context

from customer_import.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    version_table="customer_import_version",
)
context.run_migrations()
