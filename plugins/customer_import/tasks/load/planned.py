"""Counts what a load is going to do, before it does anything: what a person approves.

By the plan that a preview says and a load carries out (``plan``); the BSS is asked about those customers only that have
an account and may differ from it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from customer_import.bss.patch import is_blank
from customer_import.errors import RejectedRequestError
from customer_import.runs.approvals import Planned
from customer_import.runs.previews import before_by_field
from customer_import.runs.reference_data import read_organisation
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.comparison import Comparer
from customer_import.tasks.load.customers import read_all
from customer_import.tasks.load.outcome import Stop
from customer_import.tasks.load.plan import Plan, plan_update
from customer_import.tasks.load.triage import is_compared, triage
from customer_import.vocabulary import OnExisting, ReasonCode

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.tasks.load.customers import StagedCustomer


@dataclass
class _Counts:
    customers: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    emptied: Counter[str] = field(default_factory=Counter)

    def add(self, plan: Plan, *, is_begun: bool) -> None:
        update = "update" if plan.writes else "unchanged"
        self.customers["create" if is_begun else update] += 1
        self.customers["overwrite"] += loses_value(plan)
        self.changed.update(plan.changed.changed)
        self.emptied.update(plan.changed.emptied)


def loses_value(plan: Plan) -> bool:
    """Whether an update replaces or empties something that the BSS has, and not only fills in what it has not."""
    before = before_by_field(*plan.before)
    names = (*plan.changed.changed, *plan.changed.emptied)
    return any(before.get(name) is not False and not is_blank(before.get(name)) for name in names)


def count_planned(run: Run, engine: Engine) -> Planned:
    """Count what the load of a staged run is going to do; nothing is written.

    Args:
        run: The run; its accounts are listed.
        engine: The import's database.

    Raises:
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly; the task may be tried again.
    """
    counts = asyncio.run(_count(run, engine))
    return Planned(
        **counts.customers,
        changed=dict(counts.changed.most_common()),
        emptied=dict(counts.emptied.most_common()),
    )


async def _count(run: Run, engine: Engine) -> _Counts:
    counts = _Counts()
    organisation = read_organisation(engine, run.key)
    async with open_bss(run, engine) as client:
        comparer = Comparer(client, organisation, run.mappings)
        turn = asyncio.Semaphore(run.instance.bss.slots)

        async def compare(customer: StagedCustomer) -> None:
            async with turn:
                try:
                    plan = await _plan(run, comparer, customer)
                except RejectedRequestError:
                    counts.customers["unknown"] += 1
                    return
            if plan is None:
                counts.customers["others"] += 1
            else:
                link = customer.link
                is_linked = link is not None and link.account_id == customer.known_account
                counts.add(plan, is_begun=is_linked and link is not None and link.is_begun)

        chunks = read_all(run, engine)
        while chunk := await asyncio.to_thread(next, chunks, None):
            asked = []
            for customer in chunk:
                known = said_without_bss(run, customer)
                if known is None:
                    asked.append(customer)
                else:
                    counts.customers[known] += 1
            await asyncio.gather(*map(compare, asked))
    return counts


def said_without_bss(run: Run, customer: StagedCustomer) -> str | None:
    """Return as what a customer counts (a field of ``Planned``); ``None`` when its account has to be looked at."""
    if customer.match.verdict is not None:
        return "others"
    due = replace(customer, is_due=is_compared(customer, run.params))
    verdict = triage(due, run.import_type, run.params.on_existing)
    if verdict is not None:
        return "unchanged" if verdict.reason_code is ReasonCode.SAME else "others"
    if customer.known_account is None:
        return "create"
    is_linked = customer.link is not None and customer.link.account_id is not None
    return None if is_linked or run.params.on_existing is OnExisting.UPDATE else "others"


async def _plan(run: Run, comparer: Comparer, customer: StagedCustomer) -> Plan | None:
    """Return what an update of a customer does; ``None`` when a person has to look, which its result will say."""
    account_id, link = customer.known_account, customer.link
    if account_id is None:
        return None
    linked = link if link is not None and link.account_id == account_id else None
    try:
        return await plan_update(run, None, comparer, customer, account_id, linked)
    except Stop:
        return None
