"""Room for the state "success with problems".

Revision 0005. SQLite knows no length of a text, and would copy the table, and with it remove what refers to it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the column."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("import_runs", "state", type_=sa.String(length=30))
