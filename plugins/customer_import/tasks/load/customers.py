"""Reads what a batch has to load, chunk by chunk, with everything that is known without the BSS.

A chunk is the unit of memory: however large a batch is, only a few chunks are held at once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import and_, exists, func, or_, select, true

from customer_import.database.engine import reading
from customer_import.database.tables import (
    bss_accounts,
    import_results,
    import_runs,
    known_tenants,
    staged_accounts,
    staged_contacts,
    staged_customers,
    tenant_links,
    validation_findings,
)
from customer_import.decisions.rules import unpack
from customer_import.errors import DataQualityError
from customer_import.runs.known_tenants import of_import
from customer_import.runs.organisations import links_of
from customer_import.runs.previews import read_expected
from customer_import.runs.run import as_utc
from customer_import.tasks.load.account_index import MatchRules, find_matches, find_twins
from customer_import.tasks.load.claims import Step
from customer_import.tasks.load.reconcile import Match
from customer_import.tasks.load.statements import read_link
from customer_import.tasks.load.twins import twins_of
from customer_import.vocabulary import IMPORTED, DecisionKind, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Row, Select

    from customer_import.decisions.rules import Decision
    from customer_import.runs.previews import Expected
    from customer_import.runs.run import Run
    from customer_import.tasks.load.claims import Link

CHUNK_SIZE = 250


@dataclass(frozen=True)
class StagedCustomer:
    """One customer to load.

    Attributes:
        tenant_id: The tenant.
        tenant_name: Company name as Partner Center lists it.
        domain: Primary domain.
        reseller_mpn_id: Of its reseller, when it has one.
        reseller_name: The same.
        is_in_both_lists: Whether direct and indirect import both find it.
        content_hash: Of all that is mapped; equal to the link's when the BSS holds it already.
        link: What the ledger knows of it, as of the reading.
        match: What the run's account index says; only for tenants without account.
        warnings: Findings of validation, in words.
        before: BSS values of account and contact that an attempt of this run has begun to change.
        read_at: When Partner Center gave it. UTC.
        twins: Other accounts that carry its tenant marker, when the run has listed the accounts.
        is_due: Whether it is compared though its content is the same: what was left out can be written now, or the
            run verifies.
        previewed: What the preview said that the run was started from.
        looked_at: When the accounts were looked at that ``match`` goes by, of ``time.monotonic()``.
        decisions: What people decided about it, as of its listing.
        was_away: Whether the import's last run that is remembered did not succeed with it, or did not see it.
        sent_before_json: Contacts that earlier runs may have sent, while it is not known what became of them.
    """

    tenant_id: str
    tenant_name: str | None
    domain: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    is_in_both_lists: bool
    content_hash: str
    link: Link | None
    match: Match
    warnings: tuple[str, ...]
    account_json: bytes = field(repr=False)
    contact_json: bytes = field(repr=False)
    sync_options_json: bytes = field(repr=False)
    before: tuple[bytes | None, bytes | None] = field(default=(None, None), repr=False)
    read_at: datetime | None = None
    twins: tuple[int, ...] = ()
    is_due: bool = False
    previewed: Expected | None = None
    looked_at: float = float("-inf")
    decisions: Mapping[DecisionKind, Decision] = field(default_factory=dict)
    was_away: bool = False
    sent_before_json: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def decided_account(self) -> int | None:
        """The account that a person decided it is."""
        decision = self.decisions.get(DecisionKind.LINK)
        return int(decision.value) if decision and decision.value else None

    @property
    def known_account(self) -> int | None:
        """The account that it is, as far as is known without the BSS."""
        linked = self.link.account_id if self.link else None
        return self.match.account_id or self.decided_account or linked

    @cached_property
    def account(self) -> dict[str, object]:
        """The account in the shape of ``AccountCreate``, null where Partner Center has no value."""
        return _object(self.account_json)

    @cached_property
    def contact(self) -> dict[str, object]:
        """The contact without account and flags, null as in the account."""
        return _object(self.contact_json)

    @property
    def sent_contacts(self) -> list[Mapping[str, object]]:
        """Every contact that a creation without answer may have sent."""
        return [self.contact, *map(_object, self.sent_before_json)]

    @cached_property
    def sync_options(self) -> dict[str, str | None]:
        """Option name to value; ``None`` where Partner Center has none."""
        return {
            name: None if value is None else str(value)
            for name, value in _object(self.sync_options_json).items()
        }


def read_chunks(
    run: Run, engine: Engine, batch: int, size: int = CHUNK_SIZE
) -> Iterator[list[StagedCustomer]]:
    """Yield the customers of a batch that have no result yet, or one that failed.

    An earlier attempt's results stand; what failed then is tried again.
    """
    return _read(run, engine, staged_accounts.c.batch == batch, size)


def read_all(run: Run, engine: Engine, size: int = CHUNK_SIZE) -> Iterator[list[StagedCustomer]]:
    """Yield the customers of all batches; those without result only."""
    return _read(run, engine, true(), size)


def read_differing(
    run: Run, engine: Engine, size: int = CHUNK_SIZE, *, with_same: bool = False
) -> Iterator[list[StagedCustomer]]:
    """Yield the customers of all batches that have an account and may differ from it; those without result only.

    Args:
        run: The run.
        engine: The import's database.
        size: Customers in a chunk.
        with_same: Also those whose content is as it was written last: somebody may have edited the account.
    """
    marked = exists(
        select(bss_accounts.c.account_id).where(
            bss_accounts.c.run_id == run.key,
            bss_accounts.c.tenant_marker == staged_accounts.c.tenant_id,
        )
    )
    differs = or_(
        and_(
            tenant_links.c.account_id.is_not(None),
            true()
            if with_same
            else or_(
                tenant_links.c.content_hash.is_distinct_from(staged_accounts.c.content_hash),
                tenant_links.c.reseller_mpn_id.is_distinct_from(staged_customers.c.reseller_mpn_id),
            ),
        ),
        and_(tenant_links.c.account_id.is_(None), marked),
        staged_customers.c.decisions.contains(f'"kind":"{DecisionKind.LINK}"'),
    )
    return _read(run, engine, differs, size)


def count_staged(run: Run, engine: Engine, batch: int | None = None) -> int:
    """Count the customers that the run has to load, or those of one batch."""
    statement = (
        select(func.count()).select_from(staged_accounts).where(staged_accounts.c.run_id == run.key)
    )
    if batch is not None:
        statement = statement.where(staged_accounts.c.batch == batch)
    with reading(engine) as connection:
        return connection.execute(statement).scalar_one()


def _read(
    run: Run, engine: Engine, condition: ColumnElement[bool], size: int
) -> Iterator[list[StagedCustomer]]:
    after = ""
    while True:
        with reading(engine) as connection:
            rows = connection.execute(_statement(run, condition, after, size)).all()
            if not rows:
                return
            chunk = _customers(connection, run, rows)
        after = rows[-1].staged_tenant_id
        yield chunk


def _statement(run: Run, condition: ColumnElement[bool], after: str, size: int) -> Select[Any]:
    same = staged_accounts.c
    link = and_(links_of(run.params.instance), tenant_links.c.tenant_id == same.tenant_id)
    known = and_(of_import(run), known_tenants.c.tenant_id == same.tenant_id)
    return (
        select(
            same.tenant_id.label("staged_tenant_id"),
            same.payload.label("account_json"),
            same.sync_options,
            same.content_hash.label("staged_hash"),
            staged_contacts.c.payload.label("contact_json"),
            same.bss_before.label("account_before"),
            staged_contacts.c.bss_before.label("contact_before"),
            staged_customers.c.tenant_name,
            staged_customers.c.domain,
            staged_customers.c.reseller_mpn_id.label("staged_mpn_id"),  # the link has one, too
            staged_customers.c.reseller_name,
            staged_customers.c.is_in_both_lists,
            staged_customers.c.fetched_at,
            staged_customers.c.decisions,
            known_tenants.c.outcome.label("known_outcome"),
            _has_memory(run).label("has_memory"),
            tenant_links,
        )
        .select_from(
            staged_accounts.join(staged_contacts, _same_tenant(staged_contacts.c))
            .join(staged_customers, _same_tenant(staged_customers.c))
            .outerjoin(tenant_links, link)
            .outerjoin(known_tenants, known)
            .outerjoin(import_results, _same_tenant(import_results.c))
        )
        .where(
            same.run_id == run.key,
            condition,
            same.tenant_id > after,
            or_(
                import_results.c.outcome.is_(None),
                import_results.c.outcome == Outcome.FAILED.value,
            ),
        )
        .order_by(same.tenant_id)
        .limit(size)
    )


def _has_memory(run: Run) -> ColumnElement[bool]:
    """Whether a run of the import has looked at every customer."""
    runs = import_runs.c
    return exists(
        select(runs.id).where(
            runs.instance == run.params.instance,
            runs.import_type == run.import_type.value,
            runs.is_complete.is_(True),
        )
    )


def _same_tenant(columns: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's column collections and conditions
    return and_(
        columns.run_id == staged_accounts.c.run_id,
        columns.tenant_id == staged_accounts.c.tenant_id,
    )


def _customers(connection: Connection, run: Run, rows: Sequence[Row[Any]]) -> list[StagedCustomer]:
    warnings = _warnings(connection, run.key, [row.staged_tenant_id for row in rows])
    decisions = {
        row.staged_tenant_id: unpack(row.decisions, run.params.instance, row.staged_tenant_id)
        for row in rows
    }
    rules = MatchRules.of(run)
    wanted = {
        row.staged_tenant_id: rules.wanted(
            _object(row.account_json), _object(row.sync_options), decisions[row.staged_tenant_id]
        )
        for row in rows
        if row.account_id is None
    }
    matches = find_matches(connection, run.key, wanted, rules)
    linked = {row.staged_tenant_id: row.account_id for row in rows if row.account_id is not None}
    twins = _twins(connection, run.key, linked)
    sent_before = _sent_before(connection, run.key, rows)
    previewed = _previewed(connection, run, [row.staged_tenant_id for row in rows])
    return [
        StagedCustomer(
            tenant_id=row.staged_tenant_id,
            tenant_name=row.tenant_name,
            domain=row.domain,
            reseller_mpn_id=row.staged_mpn_id,
            reseller_name=row.reseller_name,
            is_in_both_lists=bool(row.is_in_both_lists),
            content_hash=row.staged_hash,
            link=read_link(row) if row.id is not None else None,
            match=matches.get(row.staged_tenant_id, Match()),
            warnings=tuple(warnings.get(row.staged_tenant_id, ())),
            account_json=row.account_json,
            contact_json=row.contact_json,
            sync_options_json=row.sync_options,
            before=(row.account_before, row.contact_before),
            read_at=as_utc(row.fetched_at) if row.fetched_at else run.started_at,
            twins=twins.get(row.staged_tenant_id, ()),
            previewed=previewed.get(row.staged_tenant_id),
            decisions=decisions[row.staged_tenant_id],
            was_away=bool(row.has_memory) and row.known_outcome not in IMPORTED,
            sent_before_json=tuple(sent_before.get(row.staged_tenant_id, ())),
        )
        for row in rows
    ]


def _sent_before(
    connection: Connection, run_key: int, rows: Sequence[Row[Any]]
) -> dict[str, list[bytes]]:
    """Return what the runs staged whose contact was sent without an answer: it may be another person's by now."""
    senders = {
        row.staged_tenant_id: {row.written_by_run, row.created_by_run} - {None, run_key}
        for row in rows
        if row.contact_step == Step.INTENT.value
    }
    found: dict[str, list[bytes]] = defaultdict(list)
    if senders:
        contacts = staged_contacts.c
        statement = select(contacts.tenant_id, contacts.run_id, contacts.payload).where(
            contacts.run_id.in_(set().union(*senders.values())), contacts.tenant_id.in_(senders)
        )
        for row in connection.execute(statement):
            if row.run_id in senders[row.tenant_id]:
                found[row.tenant_id].append(row.payload)
    return found


def _previewed(
    connection: Connection, run: Run, tenant_ids: Sequence[str]
) -> Mapping[str, Expected]:
    """Return what the preview said that the run was started from: of each of its customers, or nobody is loaded."""
    if run.preview_key is None:
        return {}
    found = dict(read_expected(connection, run.preview_key, tenant_ids))
    if len(found) < len(tenant_ids):
        message = (
            f"what the preview {run.params.previewed_run!r} said of {len(tenant_ids) - len(found)} customers was "
            "removed while they were loaded, by its age or because the preview was begun again. Nothing of them was "
            "written. Start a new preview"
        )
        raise DataQualityError(message)
    return found


def _twins(
    connection: Connection, run_key: int, linked: Mapping[str, int]
) -> Mapping[str, tuple[int, ...]]:
    """Return the second accounts of linked tenants, by the run's listing or by its look."""
    return twins_of(connection, run_key) | find_twins(connection, run_key, linked)


def _warnings(
    connection: Connection, run_key: int, tenant_ids: Sequence[str]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    statement = (
        select(validation_findings.c.tenant_id, validation_findings.c.message)
        .where(
            validation_findings.c.run_id == run_key,
            validation_findings.c.tenant_id.in_(tenant_ids),
            validation_findings.c.severity == Severity.WARNING.value,
        )
        .order_by(validation_findings.c.id)
    )
    for row in connection.execute(statement):
        found[row.tenant_id].append(row.message)
    return found


def _object(body: bytes) -> dict[str, object]:
    parsed = orjson.loads(body)
    return parsed if isinstance(parsed, dict) else {}
