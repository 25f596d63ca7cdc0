"""By what accounts without tenant id can be known, and which of them a customer that waits may be.

Revision 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table and the column; results of before have no candidates."""
    op.create_table(
        "account_signs",
        sa.Column("run_id", _KEY, nullable=False),
        sa.Column("account_id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sign", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_account_signs_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "account_id", "kind", name=op.f("pk_account_signs")),
    )
    op.create_index(
        op.f("ix_account_signs_run_id_sign"), "account_signs", ["run_id", "sign"], unique=False
    )
    op.add_column("import_results", sa.Column("candidates", sa.JSON()))
