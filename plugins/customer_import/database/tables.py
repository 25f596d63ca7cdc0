"""The tables of the import, as SQLAlchemy Core tables.

Unique constraints carry correctness; code only makes conflicts rare. Migrations create exactly what stands here (a test
compares them). What people are called and how they are reached lives in ``staged_customers``, ``staged_accounts`` and
``staged_contacts`` only; company names elsewhere, too (``PERSONAL``).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Key = BigInteger().with_variant(
    Integer, "sqlite"
)  # SQLite numbers rows by itself only for INTEGER keys
_Moment = DateTime(timezone=True)  # always UTC
PERSONAL = {"is_personal": True}
"""Marks the columns that say something about a customer beside ids and outcome; what is erased goes by it."""


def _run_key() -> Column[int]:
    return Column(
        "run_id", _Key, ForeignKey("import_runs.id", ondelete="CASCADE"), primary_key=True
    )


def _tenant_key() -> Column[str]:
    return Column("tenant_id", String(64), primary_key=True)


def _search_key() -> Column[str]:
    """What people search and sort by: name and domain in lower case, short enough for an index entry."""
    text = "substr(lower(coalesce(tenant_name, '') || ' ' || coalesce(domain, '')), 1, 300)"
    return Column("search_key", Text, Computed(text, persisted=True))


def _name_folded() -> Column[str]:
    """The same with the case of every script folded, where it has other letters than ASCII's (``database.names``)."""
    return Column("name_folded", Text, info=PERSONAL)


import_runs = Table(
    "import_runs",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("dag_id", String(250), nullable=False),
    Column("airflow_run_id", String(250), nullable=False),
    Column("import_type", String(20), nullable=False),
    Column("instance", String(100), nullable=False),
    Column("mode", String(20), nullable=False),
    # On SQLite as it was made first: it knows no length, and a change would copy the table.
    Column("state", String(30).with_variant(String(20), "sqlite"), nullable=False),
    Column("started_by", String(250)),
    Column("params", JSON, nullable=False),
    Column("started_at", _Moment, nullable=False),
    Column("ended_at", _Moment),
    # What its last extraction stamps its readings with: later than all readings before it, whatever the clock says.
    Column("read_at", _Moment),
    # Extraction progress, written every few seconds: tenants done, tenants in all.
    Column("extracted", Integer, nullable=False, server_default="0"),
    Column("listed", Integer),
    Column("discovered", Integer),
    Column("batches", Integer),
    # What the extraction did, and why: ``full`` or ``changed``; NULL until it is decided.
    Column("scope", String(20)),
    Column("scope_reason", Text),
    # Hash per thing that decides what a customer becomes: {"mapping files": "...", ...}
    Column("fingerprint", JSON(none_as_null=True)),
    # Whether it looked at every customer and succeeded: then the next run may ask what changed since.
    Column("is_complete", Boolean, nullable=False, server_default="0"),
    # Customers of an earlier run that Partner Center no longer lists.
    Column("vanished", Integer),
    Column("summary", JSON(none_as_null=True)),
    Column("error", Text),
    UniqueConstraint("dag_id", "airflow_run_id"),
    Index(None, "import_type", "id"),
)
"""One row per run. ``id`` is the run key that tasks pass on; DAG id + Airflow run id is its natural key."""

run_tasks = Table(
    "run_tasks",
    metadata,
    _run_key(),
    Column("task_id", String(250), primary_key=True),
    # -1 for a task that is not mapped, as in Airflow.
    Column("map_index", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    # running -> success | failed; a task that was killed never leaves ``running``.
    Column("state", String(20), nullable=False),
    Column("started_at", _Moment, nullable=False),
    Column("seconds", Double),
    Column("error", Text),
    # Its last sign of life, by the database's clock.
    Column("seen_at", _Moment),
    # {"Partner Center": {"requests": 12, "throttled": 0, "waited_s": 0.5}, ...}
    Column("api_use", JSON(none_as_null=True)),
)
"""One row per attempt of a run's tasks: how long it took, and in words why it failed."""

reference_data = Table(
    "reference_data",
    metadata,
    _run_key(),
    Column("name", String(50), primary_key=True),
    Column("body", JSON, nullable=False),
)
"""What a run looks up once: ``organisation`` (BSS), ``country_rules``, ``resellers`` (Partner Center)."""

staged_customers = Table(
    "staged_customers",
    metadata,
    _run_key(),
    _tenant_key(),
    Column("position", Integer, nullable=False),
    Column("tenant_name", Text, info=PERSONAL),
    Column("domain", Text, info=PERSONAL),
    Column("relationship", String(50)),
    # listed -> fetched | failed | left | carried | unselected; only ``listed`` rows are still to be asked for.
    Column("state", String(20), nullable=False),
    # Of the list item; a changed one tells that the customer changed.
    Column("listed_hash", String(32)),
    # Why a run that reads only what changed reads this one.
    Column("due", String(20)),
    # Mapped source paths, flattened: {"companyProfile.companyName": "...", ...}
    Column("source", LargeBinary, info=PERSONAL),
    Column("body", LargeBinary, info=PERSONAL),
    Column("has_billing_profile", Boolean),
    # False: Partner Center keeps domains, company address and company e-mail from this partner.
    Column("has_delegated_access", Boolean),
    # Counted subscriptions, a hundred at most: [{"id", "status", "partnerId", "name", "endsOn", "isRenewed"}]
    Column("subscriptions", LargeBinary),
    Column("domain_prefix", String(250), info=PERSONAL),
    Column("is_discovered", Boolean),
    Column("reseller_mpn_id", String(50)),
    Column("reseller_name", Text),
    Column("is_in_both_lists", Boolean),
    # MPN ids under which it would be found, too, did the instance not leave them out; with commas between them.
    Column("excluded_mpn_ids", Text),
    # Why it belongs to the import type or not; for a tenant that ends here also its outcome.
    Column("classification", Text, info=PERSONAL),
    Column("outcome", String(20)),
    Column("reason_code", String(50)),
    Column("reason", Text, info=PERSONAL),
    # When the extraction that read it began (``import_runs.read_at``): of two readings the later one holds.
    Column("fetched_at", _Moment),
    # The decisions about it that stood when it was listed (``decisions.rules.pack``): the run goes by them.
    Column("decisions", Text),
    _search_key(),
    _name_folded(),
    Index(None, "run_id", "position"),
    Index(None, "run_id", "state"),
    Index(None, "run_id", "is_discovered", "search_key", "tenant_id"),
)

validation_findings = Table(
    "validation_findings",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("run_id", _Key, ForeignKey("import_runs.id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("suite", String(50), nullable=False),
    Column("rule", String(80), nullable=False),
    Column("field", String(100), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("message", Text, nullable=False, info=PERSONAL),
    Index(None, "run_id", "tenant_id"),
)
"""One row per broken expectation of one tenant, in words, never with the value itself."""

validation_results = Table(
    "validation_results",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("run_id", _Key, ForeignKey("import_runs.id", ondelete="CASCADE"), nullable=False),
    Column("suite", String(50), nullable=False),
    Column("rule", String(80), nullable=False),
    Column("field", String(100), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("evaluated", Integer, nullable=False),
    Column("unexpected", Integer, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("expectation", String(100)),  # Great Expectations' name of it
    Column("expected", Text),  # in words
    UniqueConstraint("run_id", "suite", "rule", "field"),
)

staged_accounts = Table(
    "staged_accounts",
    metadata,
    _run_key(),
    _tenant_key(),
    Column("batch", Integer, nullable=False),
    # The account as JSON, without the tenant marker and the ordering options; null where Partner Center has no value.
    Column("payload", LargeBinary, nullable=False, info=PERSONAL),
    # An object of option name to value or null.
    Column("sync_options", LargeBinary, nullable=False, info=PERSONAL),
    # Over account, contact, sync options and the mapping's rules; equal hash = nothing to write.
    Column("content_hash", String(64), nullable=False),
    # Account field by field before the run's update, for people: {"name": "old", ...}
    Column("bss_before", LargeBinary, info=PERSONAL),
    Index(None, "run_id", "batch"),
)

staged_contacts = Table(
    "staged_contacts",
    metadata,
    _run_key(),
    _tenant_key(),
    Column("payload", LargeBinary, nullable=False, info=PERSONAL),
    Column("bss_before", LargeBinary, info=PERSONAL),
)

known_tenants = Table(
    "known_tenants",
    metadata,
    Column("instance", String(100), primary_key=True),
    Column("import_type", String(20), primary_key=True),
    _tenant_key(),
    Column("tenant_name", Text, info=PERSONAL),
    Column("listed_hash", String(32), info=PERSONAL),
    # Of the run that read it; another one means that mapping or settings have changed since.
    Column("config_hash", String(32), nullable=False),
    Column("run_id", _Key, nullable=False),
    Column("read_at", _Moment, nullable=False),
    Column("is_discovered", Boolean),
    Column("reseller_mpn_id", String(50)),
    Column("reseller_name", Text),
    Column("is_in_both_lists", Boolean),
    Column("excluded_mpn_ids", Text),
    Column("classification", Text, info=PERSONAL),
    Column("outcome", String(20)),
    Column("reason_code", String(50)),
    Column("reason", Text, info=PERSONAL),
    Column("warnings", JSON(none_as_null=True), info=PERSONAL),
    Column("account_id", _Key),
    Column("contact_id", _Key),
    # Those that it was read under; other ones make a run read it again.
    Column("decisions", Text),
    Index(None, "instance", "import_type", "read_at"),
)
"""What the last full read of every listed tenant came to; a run that reads only what changed carries it forward."""

audit_records_seen = Table(
    "audit_records_seen",
    metadata,
    _run_key(),
    # A hash of the record's id.
    Column("record_key", String(32), primary_key=True),
    Index(None, "record_key"),
)
"""Audit records for which a run has read, so that none makes its customer due in every run of the window."""

rate_windows = Table(
    "rate_windows",
    metadata,
    # Base URL and partner tenant, and what the server counts.
    Column("service", String(300), primary_key=True),
    Column("resource", String(50), primary_key=True),
    # When the requests of the last window were answered: seconds since 1970 as little-endian doubles.
    Column("answered_at", LargeBinary, nullable=False),
    # Requests that may have left since, and were not yet written down as answered.
    Column("open_requests", Integer, nullable=False),
)
"""The last window of each rate limit, so that the next import of the same partner tenant does not exceed it."""

service_slots = Table(
    "service_slots",
    metadata,
    # Address and organisation, or partner tenant.
    Column("service", String(300), primary_key=True),
    Column("holder", String(100), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("lease_until", _Moment, nullable=False),
)
"""Which task uses how much of what a service allows."""

bss_accounts = Table(
    "bss_accounts",
    metadata,
    _run_key(),
    Column("account_id", _Key, primary_key=True),
    Column("name_key", String(400), nullable=False),
    Column("tenant_marker", String(64)),
    Index(None, "run_id", "name_key"),
    Index(None, "run_id", "tenant_marker"),
)
"""The BSS organisation's accounts as the run listed them once; ``name_key`` is the name trimmed and case-folded."""

account_signs = Table(
    "account_signs",
    metadata,
    _run_key(),
    Column("account_id", _Key, primary_key=True),
    Column("kind", String(20), primary_key=True),
    # A digest: what it is of, an e-mail domain or an address, is not stored.
    Column("sign", String(32), nullable=False),
    Index(None, "run_id", "sign"),
)
"""By what the accounts of ``bss_accounts`` that carry no tenant id can be known, for as long as the run loads."""

instance_organisations = Table(
    "instance_organisations",
    metadata,
    Column("instance", String(100), primary_key=True),
    # The BSS's address and a digest of the organisation's client key.
    Column("organisation", String(300), nullable=False),
)
"""Which BSS organisation an instance writes to: that of its first load, until a person says that another is right."""


def unbound(instance: str) -> str:
    """Return the key of links of an instance that is not known to write to any organisation yet."""
    return f"instance {instance}"


tenant_links = Table(
    "tenant_links",
    metadata,
    Column("id", _Key, primary_key=True),
    # As in ``instance_organisations``: a tenant is one account of an organisation, whichever instance writes it.
    Column(
        "organisation",
        String(300),
        nullable=False,
        default=lambda context: unbound(context.get_current_parameters()["instance"]),
    ),
    # The instance that wrote it last.
    Column("instance", String(100), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("import_type", String(20), nullable=False),
    # Whose customer it was when it was written last.
    Column("reseller_mpn_id", String(50)),
    Column("account_id", _Key),
    Column("contact_id", _Key),
    # Each write step: none -> intent -> done. ``intent`` without an answer must be settled before it is sent again.
    Column("account_step", String(10), nullable=False, server_default="none"),
    Column("contact_step", String(10), nullable=False, server_default="none"),
    Column("sync_options_step", String(10), nullable=False, server_default="none"),
    Column("intent_at", _Moment),
    # Content that the BSS is known to hold; NULL until all three steps are done. With an ending when it keeps more.
    Column("content_hash", String(64)),
    # Names of sync options that the organisation did not have, and of fields that its API did not take.
    Column("left_out", JSON(none_as_null=True)),
    # What a person still has to change in the BSS after a move: {"billToAccountId", ...}
    Column("owed", JSON(none_as_null=True)),
    Column("is_adopted", Boolean, nullable=False, server_default="0"),
    Column("created_by_run", _Key),
    # When Partner Center gave what was written last or found to be there, and to which run: an older reading is not
    # written over it.
    Column("read_at", _Moment),
    Column("written_by_run", _Key),
    # Who may write this tenant now: a fencing token (run, batch, attempt) and the end of its lease.
    Column("holder", String(200)),
    Column("lease_until", _Moment),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", _Moment, nullable=False),
    Column("updated_at", _Moment, nullable=False),
    UniqueConstraint("organisation", "tenant_id"),
    Index(None, "organisation", "account_id", unique=True),
)
"""Links and ledger in one row: tenant T is account A with contact C of an organisation, and how far its writes came."""

tenant_decisions = Table(
    "tenant_decisions",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("instance", String(100), nullable=False),
    # A tenant id; of ``empty``, which is about an import, the import type.
    Column("subject", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    # Of ``link`` the BSS account, of ``reseller`` the MPN ID.
    Column("value", String(50)),
    # Of a reseller that Partner Center may not list.
    Column("reseller_name", Text),
    Column("reason", Text),
    Column("is_revoked", Boolean, nullable=False, server_default="0"),
    Column("decided_by", String(250), nullable=False),
    Column("decided_at", _Moment, nullable=False),
    # The last day on which it stands, UTC.
    Column("until", Date),
    Index(None, "instance", "subject", "id"),
)
"""What people decided. Rows are only added: of an instance, subject and kind the newest one counts."""

sent_notices = Table(
    "sent_notices",
    metadata,
    Column("instance", String(100), primary_key=True),
    # Empty for what is about the instance as a whole.
    Column("import_type", String(20), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("sent_at", _Moment, nullable=False),
    # The run that it was about, if it was about one.
    Column("run_id", _Key),
    # Why it could not be sent, in words.
    Column("error", Text),
)
"""What people were told and when; a row goes when it is so no more, and the next time they are told at once."""

import_results = Table(
    "import_results",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("run_id", _Key, ForeignKey("import_runs.id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("import_type", String(20), nullable=False),
    Column("instance", String(100), nullable=False),
    Column("tenant_name", Text, info=PERSONAL),
    Column("domain", Text, info=PERSONAL),
    Column("reseller_mpn_id", String(50)),
    Column("reseller_name", Text),
    Column("outcome", String(20), nullable=False),
    Column("reason_code", String(50)),
    Column("reason", Text, info=PERSONAL),
    Column("warnings", JSON(none_as_null=True), info=PERSONAL),
    Column("account_id", _Key),
    Column("contact_id", _Key),
    Column("attempts", SmallInteger),
    Column("task_id", String(250)),
    Column("map_index", Integer),
    # When Partner Center gave what the result is about (``staged_customers.fetched_at``); NULL when it was not read.
    Column("read_at", _Moment),
    Column("recorded_at", _Moment, nullable=False),
    # What became of each BSS field that differed, by name; NULL when BSS and Partner Center were not compared.
    Column("fields", JSON(none_as_null=True)),
    # Accounts that may be the customer, best first, when a person has to decide (``tasks.load.candidates``).
    Column("candidates", JSON(none_as_null=True), info=PERSONAL),
    _search_key(),
    _name_folded(),
    UniqueConstraint("run_id", "tenant_id"),
    Index(None, "run_id", "id"),
    Index(None, "run_id", "outcome", "id"),
    Index(None, "run_id", "search_key", "id", "outcome", "name_folded"),
    Index(None, "instance", "tenant_id", "id"),
)
"""One row per run and discovered tenant: its outcome, with the reason and warnings in words."""

name_beginnings = Table(
    "name_beginnings",
    metadata,
    # Compared by code points on both databases, as ranges of beginnings are.
    Column(
        "beginning",
        Text().with_variant(Text(collation="C"), "postgresql"),
        primary_key=True,
        info=PERSONAL,
    ),
    Column("tenant_id", String(64), primary_key=True),
    sqlite_with_rowid=False,
)
"""How the name and domain of a tenant go on from each of their words: what a search finds it by."""

drift_findings = Table(
    "drift_findings",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("run_id", _Key, ForeignKey("import_runs.id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("tenant_name", Text, info=PERSONAL),
    Column("domain", Text, info=PERSONAL),
    # The linked account and contact.
    Column("account_id", _Key),
    Column("contact_id", _Key),
    # In words, without values.
    Column("detail", Text, nullable=False),
    # Names of the BSS fields or sync options that differ.
    Column("fields", JSON(none_as_null=True)),
    Column("found_at", _Moment, nullable=False),
    _search_key(),
    _name_folded(),
    UniqueConstraint("run_id", "tenant_id", "kind"),
    Index(None, "run_id", "search_key", "id"),
)
"""In what Partner Center, links and BSS disagreed in a run of the mode ``check``: one row per customer and kind."""
