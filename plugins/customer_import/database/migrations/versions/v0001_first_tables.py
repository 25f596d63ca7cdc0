"""The first tables.

Revision 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of the import."""
    op.create_table(
        "import_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("airflow_run_id", sa.String(length=250), nullable=False),
        sa.Column("import_type", sa.String(length=20), nullable=False),
        sa.Column("instance", sa.String(length=100), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started_by", sa.String(length=250), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extracted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("listed", sa.Integer(), nullable=True),
        sa.Column("discovered", sa.Integer(), nullable=True),
        sa.Column("batches", sa.Integer(), nullable=True),
        sa.Column("scope", sa.String(length=20), nullable=True),
        sa.Column("scope_reason", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("is_complete", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("vanished", sa.Integer(), nullable=True),
        sa.Column("summary", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_runs")),
        sa.UniqueConstraint(
            "dag_id", "airflow_run_id", name=op.f("uq_import_runs_dag_id_airflow_run_id")
        ),
    )
    op.create_index(
        op.f("ix_import_runs_import_type_id"), "import_runs", ["import_type", "id"], unique=False
    )
    op.create_table(
        "known_tenants",
        sa.Column("instance", sa.String(length=100), nullable=False),
        sa.Column("import_type", sa.String(length=20), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("tenant_name", sa.Text(), nullable=True),
        sa.Column("listed_hash", sa.String(length=32), nullable=True),
        sa.Column("config_hash", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_discovered", sa.Boolean(), nullable=True),
        sa.Column("reseller_mpn_id", sa.String(length=50), nullable=True),
        sa.Column("reseller_name", sa.Text(), nullable=True),
        sa.Column("is_in_both_lists", sa.Boolean(), nullable=True),
        sa.Column("classification", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason_code", sa.String(length=50), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.PrimaryKeyConstraint(
            "instance", "import_type", "tenant_id", name=op.f("pk_known_tenants")
        ),
    )
    op.create_index(
        op.f("ix_known_tenants_instance_import_type_read_at"),
        "known_tenants",
        ["instance", "import_type", "read_at"],
        unique=False,
    )
    op.create_table(
        "rate_windows",
        sa.Column("service", sa.String(length=300), nullable=False),
        sa.Column("resource", sa.String(length=50), nullable=False),
        sa.Column("answered_at", sa.LargeBinary(), nullable=False),
        sa.Column("open_requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("service", "resource", name=op.f("pk_rate_windows")),
    )
    op.create_table(
        "tenant_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("instance", sa.String(length=100), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("import_type", sa.String(length=20), nullable=False),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("account_step", sa.String(length=10), server_default="none", nullable=False),
        sa.Column("contact_step", sa.String(length=10), server_default="none", nullable=False),
        sa.Column("sync_options_step", sa.String(length=10), server_default="none", nullable=False),
        sa.Column("intent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("is_adopted", sa.Boolean(), server_default="0", nullable=False),
        sa.Column(
            "created_by_run", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("holder", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_links")),
        sa.UniqueConstraint(
            "instance", "tenant_id", name=op.f("uq_tenant_links_instance_tenant_id")
        ),
    )
    op.create_index(
        op.f("ix_tenant_links_instance_account_id"),
        "tenant_links",
        ["instance", "account_id"],
        unique=False,
    )
    op.create_table(
        "bss_accounts",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name_key", sa.String(length=400), nullable=False),
        sa.Column("tenant_marker", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_bss_accounts_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "account_id", name=op.f("pk_bss_accounts")),
    )
    op.create_index(
        op.f("ix_bss_accounts_run_id_name_key"),
        "bss_accounts",
        ["run_id", "name_key"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bss_accounts_run_id_tenant_marker"),
        "bss_accounts",
        ["run_id", "tenant_marker"],
        unique=False,
    )
    op.create_table(
        "import_results",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("import_type", sa.String(length=20), nullable=False),
        sa.Column("instance", sa.String(length=100), nullable=False),
        sa.Column("tenant_name", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("reseller_mpn_id", sa.String(length=50), nullable=True),
        sa.Column("reseller_name", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason_code", sa.String(length=50), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("attempts", sa.SmallInteger(), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "search_key",
            sa.Text(),
            sa.Computed(
                "substr(lower(coalesce(tenant_name, '') || ' ' || coalesce(domain, '')), 1, 300)",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_import_results_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_results")),
        sa.UniqueConstraint("run_id", "tenant_id", name=op.f("uq_import_results_run_id_tenant_id")),
    )
    op.create_index(
        op.f("ix_import_results_instance_tenant_id_id"),
        "import_results",
        ["instance", "tenant_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_import_results_run_id_id"), "import_results", ["run_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_import_results_run_id_outcome_id"),
        "import_results",
        ["run_id", "outcome", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_import_results_run_id_search_key_id_outcome"),
        "import_results",
        ["run_id", "search_key", "id", "outcome"],
        unique=False,
    )
    op.create_table(
        "reference_data",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_reference_data_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_reference_data")),
    )
    op.create_table(
        "staged_accounts",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("sync_options", sa.LargeBinary(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("bss_before", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_staged_accounts_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "tenant_id", name=op.f("pk_staged_accounts")),
    )
    op.create_index(
        op.f("ix_staged_accounts_run_id_batch"),
        "staged_accounts",
        ["run_id", "batch"],
        unique=False,
    )
    op.create_table(
        "staged_contacts",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("bss_before", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_staged_contacts_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "tenant_id", name=op.f("pk_staged_contacts")),
    )
    op.create_table(
        "staged_customers",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_name", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("relationship", sa.String(length=50), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("listed_hash", sa.String(length=32), nullable=True),
        sa.Column("due", sa.String(length=20), nullable=True),
        sa.Column("source", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("has_billing_profile", sa.Boolean(), nullable=True),
        sa.Column("subscriptions", sa.LargeBinary(), nullable=True),
        sa.Column("domain_prefix", sa.String(length=250), nullable=True),
        sa.Column("is_discovered", sa.Boolean(), nullable=True),
        sa.Column("reseller_mpn_id", sa.String(length=50), nullable=True),
        sa.Column("reseller_name", sa.Text(), nullable=True),
        sa.Column("is_in_both_lists", sa.Boolean(), nullable=True),
        sa.Column("classification", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason_code", sa.String(length=50), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_key",
            sa.Text(),
            sa.Computed(
                "substr(lower(coalesce(tenant_name, '') || ' ' || coalesce(domain, '')), 1, 300)",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_staged_customers_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "tenant_id", name=op.f("pk_staged_customers")),
    )
    op.create_index(
        op.f("ix_staged_customers_run_id_is_discovered_search_key_tenant_id"),
        "staged_customers",
        ["run_id", "is_discovered", "search_key", "tenant_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_staged_customers_run_id_position"),
        "staged_customers",
        ["run_id", "position"],
        unique=False,
    )
    op.create_index(
        op.f("ix_staged_customers_run_id_state"),
        "staged_customers",
        ["run_id", "state"],
        unique=False,
    )
    op.create_table(
        "validation_findings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("suite", sa.String(length=50), nullable=False),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.Column("field", sa.String(length=100), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_validation_findings_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_validation_findings")),
    )
    op.create_index(
        op.f("ix_validation_findings_run_id_tenant_id"),
        "validation_findings",
        ["run_id", "tenant_id"],
        unique=False,
    )
    op.create_table(
        "validation_results",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("suite", sa.String(length=50), nullable=False),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.Column("field", sa.String(length=100), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("evaluated", sa.Integer(), nullable=False),
        sa.Column("unexpected", sa.Integer(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_runs.id"],
            name=op.f("fk_validation_results_run_id_import_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_validation_results")),
        sa.UniqueConstraint(
            "run_id",
            "suite",
            "rule",
            "field",
            name=op.f("uq_validation_results_run_id_suite_rule_field"),
        ),
    )
