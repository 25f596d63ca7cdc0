"""Runs of the mode check keep what they find.

Revision 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SEARCH_KEY = "substr(lower(coalesce(tenant_name, '') || ' ' || coalesce(domain, '')), 1, 300)"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "drift_findings",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("run_id", _KEY, nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("tenant_name", sa.Text()),
        sa.Column("domain", sa.Text()),
        sa.Column("account_id", _KEY),
        sa.Column("contact_id", _KEY),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON()),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("search_key", sa.Text(), sa.Computed(_SEARCH_KEY, persisted=True)),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name="fk_drift_findings_run_id_import_runs",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_drift_findings"),
        sa.UniqueConstraint(
            "run_id", "tenant_id", "kind", name="uq_drift_findings_run_id_tenant_id_kind"
        ),
    )
    op.create_index(
        "ix_drift_findings_run_id_search_key_id",
        "drift_findings",
        ["run_id", "search_key", "id"],
    )
