"""Links belong to a BSS organisation, not to an instance; what was written remembers its reading.

Revision 0007. Links of before keep the name of their instance as key, until its next load finds out which organisation
it writes to. Where two of them name one account, the older one stays and the other is looked for again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the columns."""
    op.create_table(
        "instance_organisations",
        sa.Column("instance", sa.String(length=100), nullable=False),
        sa.Column("organisation", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_instance_organisations")),
    )
    op.add_column("tenant_links", sa.Column("organisation", sa.String(length=300)))
    op.add_column("tenant_links", sa.Column("read_at", sa.DateTime(timezone=True)))
    op.add_column(
        "tenant_links",
        sa.Column("written_by_run", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
    )
    op.add_column("tenant_links", sa.Column("reseller_mpn_id", sa.String(length=50)))
    op.add_column("tenant_links", sa.Column("left_out", sa.JSON()))
    op.add_column("tenant_links", sa.Column("owed", sa.JSON()))
    op.execute("UPDATE tenant_links SET organisation = 'instance ' || instance")
    op.execute(
        "UPDATE tenant_links SET account_id = NULL, contact_id = NULL, content_hash = NULL, account_step = 'none', "
        "contact_step = 'none', sync_options_step = 'none' WHERE EXISTS (SELECT 1 FROM tenant_links AS older "
        "WHERE older.instance = tenant_links.instance AND older.account_id = tenant_links.account_id "
        "AND older.id < tenant_links.id)"
    )
    with op.batch_alter_table("tenant_links") as table:
        table.alter_column("organisation", existing_type=sa.String(length=300), nullable=False)
        table.drop_constraint("uq_tenant_links_instance_tenant_id", type_="unique")
        table.create_unique_constraint(
            op.f("uq_tenant_links_organisation_tenant_id"), ["organisation", "tenant_id"]
        )
        table.drop_index("ix_tenant_links_instance_account_id")
        table.create_index(
            op.f("ix_tenant_links_organisation_account_id"),
            ["organisation", "account_id"],
            unique=True,
        )
