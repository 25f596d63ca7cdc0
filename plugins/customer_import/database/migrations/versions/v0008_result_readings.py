"""A result says which reading it came from; a reading says which resellers the instance left out.

Revision 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("import_results", sa.Column("read_at", sa.DateTime(timezone=True)))
    for table in ("staged_customers", "known_tenants"):
        op.add_column(table, sa.Column("excluded_mpn_ids", sa.Text()))
