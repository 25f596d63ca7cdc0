"""What people decide about tenants, and under which decisions a tenant was read.

Revision 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the columns."""
    op.create_table(
        "tenant_decisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("instance", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=50), nullable=True),
        sa.Column("reseller_name", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("is_revoked", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("decided_by", sa.String(length=250), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_decisions")),
    )
    op.create_index(
        op.f("ix_tenant_decisions_instance_subject_id"),
        "tenant_decisions",
        ["instance", "subject", "id"],
        unique=False,
    )
    op.add_column("staged_customers", sa.Column("decisions", sa.Text(), nullable=True))
    op.add_column("known_tenants", sa.Column("decisions", sa.Text(), nullable=True))
