"""A result names the BSS fields that differed and what became of each.

Revision 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; results of before have none."""
    op.add_column("import_results", sa.Column("fields", sa.JSON()))
