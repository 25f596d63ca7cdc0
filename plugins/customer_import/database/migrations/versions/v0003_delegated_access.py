"""Whether Partner Center shows a staged customer's fields that it keeps from partners without delegated access.

Revision 0003. Customers staged before have no value there, which counts as shown.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "staged_customers", sa.Column("has_delegated_access", sa.Boolean(), nullable=True)
    )
