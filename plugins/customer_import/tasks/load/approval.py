"""Whether a person has to approve a load, what that person is shown, and what a load does without approval.

A run that needs no approval pays nothing for it: how many customers may lose a value is known from staging, and only
when these are too many the BSS is asked, by the comparison that the load itself uses.
"""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import tenant_links
from customer_import.errors import DataQualityError
from customer_import.runs.approvals import Approval, Planned, read_approval, store_approval
from customer_import.runs.organisations import links_of
from customer_import.runs.results import delete_results
from customer_import.runs.shares import is_too_many
from customer_import.tasks.load.customers import count_staged, read_differing
from customer_import.tasks.load.planned import count_planned, said_without_bss
from customer_import.tasks.load.triage import not_approved
from customer_import.vocabulary import Answer, Mode, OnExisting, ReasonCode, Scope

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from customer_import.runs.results import Result
    from customer_import.runs.run import Run
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.work import BatchContext

log = logging.getLogger(__name__)


def ask_approval(run: Run, engine: Engine) -> Approval:
    """Find out whether a person has to approve the load, and store the question; an earlier answer is void.

    Args:
        run: The run; it is staged, its accounts are listed.
        engine: The import's database.

    Raises:
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly; the task may be tried again.
    """
    with engine.begin() as connection:
        delete_results(connection, run.key, ReasonCode.NOT_APPROVED)
    approval = Approval()
    if run.params.mode is Mode.IMPORT and count_staged(run, engine):
        why, planned = _required(run, engine) if run.requires_approval else _too_many(run, engine)
        if why:
            hours = run.instance.approval_timeout_hours
            approval = Approval(why=why, planned=planned, timeout_hours=hours)
    store_approval(engine, run.key, approval)
    log.info("Approval: %s", approval.why or "not needed")
    return approval


def answer_approval(
    run: Run, engine: Engine, answer: Answer, by: str | None, at: datetime, comment: str
) -> Approval:
    """Store what came of the question."""
    approval = read_approval(engine, run.key) or Approval()
    approval = approval.answered(answer, by, at, comment)
    store_approval(engine, run.key, approval)
    log.info("Approval: %s", answer.value)
    return approval


def find_refusal(run: Run, engine: Engine) -> Approval | None:
    """Return the refusal of a run's load; ``None`` when it may write, or only previews.

    Raises:
        DataQualityError: The load needs an approval, and nobody was asked or has answered.
    """
    if run.is_preview:
        return None
    approval = read_approval(engine, run.key)
    is_missing = run.requires_approval if approval is None else approval.is_open
    if is_missing:
        message = (
            "The load needs an approval that nobody has given. Nothing was written to the BSS. Clear the task "
            "approve_load, and answer it under Required Actions."
        )
        raise DataQualityError(message)
    return approval if approval and approval.is_refused else None


class TenantRefuser:
    """Gives the customers of a load that was not approved their results; the counterpart of ``TenantLoader``.

    Args:
        context: What the batch shares.
        approval: The refusal.
    """

    def __init__(self, context: BatchContext, approval: Approval) -> None:
        self._context = context
        self._verdict = not_approved(approval)

    async def load(self, customer: StagedCustomer) -> Result:
        """Record that nothing is written."""
        verdict = customer.match.verdict or self._verdict
        result = self._context.result(customer, verdict, customer.link)
        await self._context.ledger.record([result])
        return result


def _required(run: Run, engine: Engine) -> tuple[str | None, Planned]:
    planned = count_planned(run, engine)
    who = "the run was started so" if run.params.require_approval else "the instance asks for it"
    why = f"{who} (require_approval)."
    return (why if planned.writes else None), planned


def _too_many(run: Run, engine: Engine) -> tuple[str | None, Planned]:
    """Say that a run overwrites so much that it asks by itself; what a preview has shown, a person has seen."""
    if run.preview_key is not None:
        return None, Planned()
    limit = run.instance.max_overwritten_percent
    compared, new = _count_compared(run, engine)
    accounts = _count_links(run, engine) + new
    if not is_too_many(compared, accounts, limit):
        return None, Planned()
    log.info("%d customers may lose a value in the BSS: it is asked what it holds.", compared)
    planned = count_planned(run, engine)
    lost = planned.overwrite + planned.unknown
    if not is_too_many(lost, accounts, limit):
        return None, planned
    unknown = (
        f" ({planned.unknown} of them not for sure: the BSS refused to show them)"
        if planned.unknown
        else ""
    )
    why = (
        f"it would overwrite or empty values of {lost} of {accounts} customers with an account{unknown} "
        f"({lost / accounts:.1%}), more than the {limit:g} % of max_overwritten_percent."
    )
    return why, planned


def _count_compared(run: Run, engine: Engine) -> tuple[int, int]:
    """Count the customers whose account is compared, and those among them that are no link of this import yet."""
    is_verified = run.params.scope is Scope.VERIFY
    with_same = is_verified and run.params.on_existing is OnExisting.UPDATE
    compared = new = 0
    for customer in chain.from_iterable(read_differing(run, engine, with_same=with_same)):
        if said_without_bss(run, customer) is None:
            compared += 1
            new += not _is_own(run, customer)
    return compared, new


def _is_own(run: Run, customer: StagedCustomer) -> bool:
    link = customer.link
    is_linked = link is not None and link.account_id is not None
    return is_linked and link is not None and link.import_type == run.import_type.value


def _count_links(run: Run, engine: Engine) -> int:
    links = tenant_links.c
    statement = (
        select(func.count())
        .select_from(tenant_links)
        .where(
            links_of(run.params.instance),
            links.import_type == run.import_type.value,
            links.account_id.is_not(None),
        )
    )
    with reading(engine) as connection:
        return connection.execute(statement).scalar_one()
