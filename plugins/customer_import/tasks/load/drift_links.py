"""Reads the links that a check judges, with what is staged and listed of their customers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, or_, select

from customer_import.database.engine import reading
from customer_import.database.tables import (
    bss_accounts,
    import_results,
    staged_accounts,
    staged_contacts,
    staged_customers,
    tenant_links,
)
from customer_import.decisions.store import standing_by_subject
from customer_import.runs.organisations import links_of
from customer_import.runs.reference_data import get_reference
from customer_import.runs.run import as_utc
from customer_import.tasks.load.claims import Step
from customer_import.tasks.load.drift import LinkedCustomer, doubled
from customer_import.tasks.load.triage import holds_content
from customer_import.vocabulary import LEFT, DecisionKind, ReferenceName, StagedState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Row, Select

    from customer_import.runs.drift import DriftFinding
    from customer_import.runs.run import Run

_ROWS = 500
_links = tenant_links.c
_staged = staged_customers.c

Judged = tuple[LinkedCustomer, "Mapping[int, str | None]", "Sequence[int]"]


def written_of(run: Run, *conditions: ColumnElement[bool]) -> Select[Any]:
    """Return what is staged of a run's linked customers, with what their links say was written."""
    accounts, contacts = staged_accounts.c, staged_contacts.c
    same_contact = and_(
        contacts.run_id == accounts.run_id, contacts.tenant_id == accounts.tenant_id
    )
    return (
        select(
            accounts.tenant_id,
            accounts.payload.label("account"),
            accounts.sync_options,
            accounts.content_hash,
            accounts.bss_before,
            contacts.payload.label("contact"),
            _links.account_id,
            _links.contact_id,
            _links.content_hash.label("link_hash"),
            _links.left_out,
            _links.owed,
        )
        .select_from(
            staged_accounts.join(staged_contacts, same_contact).join(
                tenant_links, _links.tenant_id == accounts.tenant_id
            )
        )
        .where(accounts.run_id == run.key, _judged(run), _links.account_id.is_not(None))
        .where(*conditions)
    )


def _judged(run: Run) -> ColumnElement[bool]:
    return and_(
        links_of(run.params.instance),
        _links.instance == run.params.instance,
        _links.import_type == run.import_type.value,
    )


class Links:
    """The links of a check's instance and import type, as far as the run was started for them.

    A link that a load holds, or has written since the check began to list, is left to the next check.

    Args:
        run: The check.
        engine: The import's database.
        began: When the check began to list. UTC.
    """

    def __init__(self, run: Run, engine: Engine, began: datetime) -> None:
        self._run = run
        self._engine = engine
        self._began = began
        self._decisions = standing_by_subject(engine, run.params.instance)
        matched = get_reference(engine, run.key, ReferenceName.SELECTION) or {}
        names = run.params.exclude_tenants
        self._left_out = {*names, *(matched[name] for name in names if name in matched)}

    def written(self, accounts: Collection[int]) -> list[Row[Any]]:
        """Return the customers of some accounts, a page of them, whose staged content is what was written."""
        wanted = written_of(self._run, _links.account_id.in_(accounts))
        with reading(self._engine) as connection:
            rows = connection.execute(wanted).all()
        return [row for row in rows if holds_content(row.link_hash, row.content_hash)]

    def count_changed(self) -> int:
        """Count the linked customers whose staged content is not what was written."""
        changed = 0
        with reading(self._engine) as connection:
            statement = written_of(self._run).with_only_columns(
                _links.content_hash.label("link_hash"), staged_accounts.c.content_hash
            )
            for row in connection.execute(statement.execution_options(yield_per=_ROWS)):
                changed += not holds_content(row.link_hash, row.content_hash)
        return changed

    def contacts_in_place(self, accounts: Mapping[int, int]) -> set[int]:
        """Return the linked ones among some contacts that are on the account that they are linked with.

        Args:
            accounts: Contact to its account in the BSS.
        """
        statement = select(_links.contact_id, _links.account_id).where(
            _judged(self._run), _links.account_id.in_(set(accounts.values()))
        )
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
        return {row.contact_id for row in rows if accounts.get(row.contact_id) == row.account_id}

    def all(self) -> Iterator[Judged]:
        """Give every link with the markers of the accounts that it concerns, and those that carry its tenant id."""
        after = ""
        while True:
            with reading(self._engine) as connection:
                rows = connection.execute(self._statement(after)).all()
                if not rows:
                    return
                judged = list(self._with_accounts(connection, rows))
            after = rows[-1].tenant_id
            yield from judged

    def doubled_without_link(self) -> list[DriftFinding]:
        """Return the discovered customers without link whose tenant id stands on several accounts."""
        linked = exists().where(
            links_of(self._run.params.instance),
            _links.tenant_id == _staged.tenant_id,
            or_(_links.account_id.is_not(None), _links.account_step != Step.NONE.value),
        )
        statement = (
            select(
                _staged.tenant_id, _staged.tenant_name, _staged.domain, bss_accounts.c.account_id
            )
            .join(
                bss_accounts,
                and_(
                    bss_accounts.c.run_id == _staged.run_id,
                    bss_accounts.c.tenant_marker == _staged.tenant_id,
                ),
            )
            .where(_staged.run_id == self._run.key, _staged.is_discovered.is_(True), ~linked)
        )
        carriers: dict[str, list[int]] = defaultdict(list)
        names = {}
        with reading(self._engine) as connection:
            for row in connection.execute(statement.order_by(bss_accounts.c.account_id)):
                carriers[row.tenant_id].append(row.account_id)
                names[row.tenant_id] = (row.tenant_name, row.domain)
        return [
            doubled(tenant_id, *names[tenant_id], accounts)
            for tenant_id, accounts in carriers.items()
            if len(accounts) > 1
            and not {DecisionKind.EXCLUDE, DecisionKind.LINK} & self._decided(tenant_id).keys()
        ]

    def _statement(self, after: str) -> Select[Any]:
        staged = and_(_staged.run_id == self._run.key, _staged.tenant_id == _links.tenant_id)
        statement = (
            select(
                _links.tenant_id,
                _links.account_id,
                _links.contact_id,
                _links.account_step,
                _links.contact_step,
                _links.holder,
                _links.lease_until,
                _links.updated_at,
                _staged.state,
                _staged.reason_code,
                _staged.tenant_name,
                _staged.domain,
            )
            .select_from(tenant_links.outerjoin(staged_customers, staged))
            .where(_judged(self._run), _links.tenant_id > after)
            .order_by(_links.tenant_id)
            .limit(_ROWS)
        )
        if self._run.params.is_selective:
            statement = statement.where(_staged.state != StagedState.UNSELECTED.value)
        return statement

    def _with_accounts(self, connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Judged]:
        rows = [
            row for row in rows if self._is_at_rest(row) and row.tenant_id not in self._left_out
        ]
        tenants = [row.tenant_id for row in rows]
        numbers = [row.account_id for row in rows if row.account_id is not None]
        markers: dict[int, str | None] = {}
        carriers: dict[str | None, list[int]] = defaultdict(list)
        statement = select(bss_accounts.c.account_id, bss_accounts.c.tenant_marker).where(
            bss_accounts.c.run_id == self._run.key,
            or_(bss_accounts.c.tenant_marker.in_(tenants), bss_accounts.c.account_id.in_(numbers)),
        )
        for account in connection.execute(statement):
            markers[account.account_id] = account.tenant_marker
            carriers[account.tenant_marker].append(account.account_id)
        unlisted = [row.tenant_id for row in rows if row.state is None]
        names = _last_names(connection, self._run.params.instance, unlisted)
        for row in rows:
            name, domain = names.get(row.tenant_id, (row.tenant_name, row.domain))
            customer = LinkedCustomer(
                row.tenant_id,
                name,
                domain,
                row.account_id,
                row.contact_id,
                Step(row.account_step),
                Step(row.contact_step),
                row.state is not None and row.reason_code not in LEFT,
                self._decided(row.tenant_id),
            )
            yield customer, markers, carriers.get(row.tenant_id, [])

    def _is_at_rest(self, row: Row[Any]) -> bool:
        is_held = row.holder is not None and as_utc(row.lease_until) > self._began
        return not is_held and as_utc(row.updated_at) < self._began

    def _decided(self, tenant_id: str) -> dict[DecisionKind, str | None]:
        return {one.kind: one.value for one in self._decisions.get(tenant_id, ())}


def _last_names(
    connection: Connection, instance: str, tenant_ids: Sequence[str]
) -> dict[str, tuple[str | None, str | None]]:
    """Return name and domain by which the last results of some customers, some hundreds, called them."""
    results = import_results.c
    newest = (
        select(func.max(results.id))
        .where(results.instance == instance, results.tenant_id.in_(tenant_ids))
        .group_by(results.tenant_id)
    )
    rows = connection.execute(
        select(results.tenant_id, results.tenant_name, results.domain).where(results.id.in_(newest))
    )
    return {row.tenant_id: (row.tenant_name, row.domain) for row in rows}
