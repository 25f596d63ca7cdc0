"""What a run remembers of its reading: when it was, and for which audit records.

Revision 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("import_runs", sa.Column("read_at", sa.DateTime(timezone=True)))
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit_records_seen",
        sa.Column("run_id", key, nullable=False),
        sa.Column("record_key", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_audit_records_seen_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "record_key", name=op.f("pk_audit_records_seen")),
    )
    op.create_index(op.f("ix_audit_records_seen_record_key"), "audit_records_seen", ["record_key"])
