"""A validation result says what was expected.

Revision 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; results of before have none."""
    op.add_column("validation_results", sa.Column("expectation", sa.String(length=100)))
    op.add_column("validation_results", sa.Column("expected", sa.Text()))
