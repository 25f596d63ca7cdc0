"""Compares the customers of a check with the BSS's lists of accounts and contacts, page by page; writes nothing there.

A list is one request for 500 records. Only what a list does not show, and so may be gone, is asked for by itself: a
list that changes while it is read can pass over a record.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import update

from customer_import.bss.patch import difference
from customer_import.database.tables import staged_accounts, staged_contacts
from customer_import.runs.drift import DriftFinding, forget_findings, record_findings
from customer_import.runs.reference_data import put_reference
from customer_import.tasks.load.drift import WHOLE, judge_contact, judge_link
from customer_import.tasks.load.drift_links import Links
from customer_import.vocabulary import DriftKind, FieldFate, ReferenceName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Row, Table

    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Account, Contact
    from customer_import.bss.patch import Difference
    from customer_import.runs.run import Run
    from customer_import.tasks.load.drift import LinkedCustomer

log = logging.getLogger(__name__)

_CONFIRMED_AT_ONCE = 100
_BILL_TO = "contact.isBillTo"


class DriftCheck:
    """Looks at the pages of both lists, and says at the end what it found.

    Args:
        run: The check.
        engine: The import's database; the run is staged.
    """

    def __init__(self, run: Run, engine: Engine) -> None:
        self._run = run
        self._engine = engine
        self._links = Links(run, engine, datetime.now(UTC))
        self._edited: dict[str, dict[str, FieldFate]] = defaultdict(dict)
        self._compared: set[str] = set()
        self._contacts: set[int] = set()
        self._billed: set[int] = set()
        self._account_of: dict[str, int] = {}  # those whose contact was compared

    def see_accounts(self, page: Sequence[Account]) -> None:
        """Compare a page of accounts with what is staged for them."""
        accounts = {account.id: account for account in page}
        before: dict[str, Difference] = {}
        for row in self._links.written(accounts):
            self._compared.add(row.tenant_id)
            body, fields = accounts[row.account_id].body, self._run.mappings.account
            self._note(row, difference(orjson.loads(row.account), body, fields), before)
        self._keep_before(before, staged_accounts)

    def see_contacts(self, page: Sequence[Contact]) -> None:
        """Compare a page of contacts with what is staged for them."""
        contacts = {contact.id: contact for contact in page}
        accounts = {one.id: one.account_id for one in page if one.account_id is not None}
        self._billed |= {accounts[one.id] for one in page if one.is_bill_to and one.id in accounts}
        here = self._links.contacts_in_place(accounts)
        self._contacts |= here
        before: dict[str, Difference] = {}
        for row in self._links.written(set(accounts.values())):
            if row.contact_id not in here:
                continue
            self._account_of[row.tenant_id] = row.account_id
            body, fields = contacts[row.contact_id].body, self._run.mappings.contact
            found = difference(orjson.loads(row.contact), body, fields)
            self._note(row, found, before, "contact.")
        self._keep_before(before, staged_contacts)

    async def finish(self, client: BssClient) -> None:
        """Judge all links, and store what was found in place of what an earlier attempt found."""
        for tenant_id, account_id in self._account_of.items():
            if account_id not in self._billed:
                self._edited[tenant_id][_BILL_TO] = FieldFate.CHANGED
        findings, linked = await asyncio.to_thread(self._judge)
        findings = await without_those_there(client, findings)
        await asyncio.to_thread(self._store, findings, linked)

    def _note(
        self, row: Row[Any], found: Difference, before: dict[str, Difference], prefix: str = ""
    ) -> None:
        names = found.before.keys() - {*(row.left_out or ()), *(row.owed or ())}
        if not names:
            return
        before[row.tenant_id] = found
        self._edited[row.tenant_id] |= {
            prefix + name: FieldFate.EMPTIED if name in found.cleared else FieldFate.CHANGED
            for name in sorted(names)
        }

    def _keep_before(self, before: dict[str, Difference], table: Table) -> None:
        """Keep the BSS's values as long as what is staged, for people."""
        with self._engine.begin() as connection:
            for tenant_id, found in before.items():
                connection.execute(
                    update(table)
                    .where(table.c.run_id == self._run.key, table.c.tenant_id == tenant_id)
                    .values(bss_before=orjson.dumps(found.before))
                )

    def _judge(self) -> tuple[list[DriftFinding], int]:
        findings: list[DriftFinding] = []
        linked = 0
        for customer, markers, carriers in self._links.all():
            linked += 1
            finding = judge_link(customer, markers, carriers)
            if finding is not None:
                findings.append(finding)
            is_comparable = customer.account_id in markers and customer.is_listed
            if is_comparable and (finding is None or finding.kind not in WHOLE):
                findings += self._of_records(customer)
        findings += self._links.doubled_without_link()
        return findings, linked

    def _of_records(self, customer: LinkedCustomer) -> list[DriftFinding]:
        if not customer.is_as_linked:
            return []
        gone = judge_contact(customer, self._contacts)
        fates = dict(sorted(self._edited.get(customer.tenant_id, {}).items()))
        edited = customer.found(DriftKind.FIELDS_EDITED, f"Differs: {', '.join(fates)}.", fates)
        return [one for one in (gone, edited if fates else None) if one is not None]

    def _store(self, findings: Sequence[DriftFinding], linked: int) -> None:
        changed = self._links.count_changed()
        with self._engine.begin() as connection:
            forget_findings(connection, self._run.key)
            record_findings(connection, self._run.key, findings)
        compared = len(self._compared - {one.tenant_id for one in findings if one.kind in WHOLE})
        body = {"linked": linked, "compared": compared, "changed": changed}
        put_reference(self._engine, self._run.key, ReferenceName.DRIFT, body)
        log.info(
            "Drift: %d customers linked, %d compared with what was written, %d changed in Partner Center since and not "
            "compared; %d findings so far.",
            linked,
            compared,
            changed,
            len(findings),
        )


async def without_those_there(
    client: BssClient, findings: Sequence[DriftFinding]
) -> list[DriftFinding]:
    """Return findings without those about accounts and contacts that are there after all.

    Args:
        client: Calls the BSS.
        findings: Of any kind; what may be gone is asked for, some at a time.
    """
    left: list[DriftFinding] = []
    for start in range(0, len(findings), _CONFIRMED_AT_ONCE):
        some = findings[start : start + _CONFIRMED_AT_ONCE]
        there = await asyncio.gather(*(_is_there(client, one) for one in some))
        left += [one for one, is_there in zip(some, there, strict=True) if not is_there]
    return left


async def _is_there(client: BssClient, finding: DriftFinding) -> bool:
    account_id, contact_id = finding.account_id, finding.contact_id
    if account_id is None:
        return False
    if finding.kind is DriftKind.ACCOUNT_GONE:
        return await client.account(account_id) is not None
    if finding.kind is not DriftKind.CONTACT_GONE or contact_id is None:
        return False
    return any(contact.id == contact_id for contact in await client.contacts(account_id))
