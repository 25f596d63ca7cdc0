"""Stops a load that would empty a field for too many customers, before it writes anything.

A field that Partner Center suddenly has for nobody (another source in the mapping, a right that was taken away) looks
like one that everybody emptied. Most runs are let through from staging alone: only the customers that differ and have
no value in a field that is cleared can lose one. When these are too many, the BSS is asked for them, by the comparison
that the load itself uses.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from customer_import.bss.patch import flatten, is_blank
from customer_import.config.targets import ADDRESS_PREFIX
from customer_import.errors import DataQualityError, RejectedRequestError
from customer_import.runs.reference_data import read_organisation
from customer_import.runs.shares import is_too_many
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.comparison import Comparer
from customer_import.tasks.load.customers import count_staged, read_differing
from customer_import.tasks.load.triage import triage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Engine

    from customer_import.config.mapping import FieldMapping, Mappings
    from customer_import.runs.run import Run
    from customer_import.tasks.load.customers import StagedCustomer

log = logging.getLogger(__name__)

_COMPARED_AT_ONCE = 250


def check_clearing(run: Run, engine: Engine) -> None:
    """Stop a run that would empty a field for too many customers; a preview only says that an import would stop.

    Args:
        run: Its parameter ``max_rejected_percent`` is the limit, in percent of the customers that it has to load.
        engine: The import's database; the run is staged, its accounts are listed.

    Raises:
        DataQualityError: A field would be emptied for more than that.
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly; the task may be tried again.
    """
    if run.preview_key is not None or run.is_check:
        return  # a person has seen what is emptied; or nothing is
    total, limit = count_staged(run, engine), run.params.max_rejected_percent
    without_value: Counter[str] = Counter()
    differing = 0
    for customer in _differing(run, engine):
        differing += 1
        without_value.update(_may_be_cleared(customer, run.mappings))
    suspects = {name for name, count in without_value.items() if is_too_many(count, total, limit)}
    if not suspects:
        return
    log.info("%d customers may lose a value: the BSS is asked what it holds.", differing)
    cleared = asyncio.run(_count_cleared(run, engine, suspects))
    too_many = {name: count for name, count in cleared.items() if is_too_many(count, total, limit)}
    if not too_many:
        return
    message = _message(run, too_many, total, [n for n in too_many if without_value[n] == differing])
    if run.is_preview:
        log.warning("An import would stop here. %s", message)
        return
    raise DataQualityError(message)


def _differing(run: Run, engine: Engine) -> Iterator[StagedCustomer]:
    """Yield the customers whose account the load would compare with them."""
    for customer in chain.from_iterable(read_differing(run, engine)):
        is_asked_for = triage(customer, run.import_type, run.params.on_existing) is None
        if is_asked_for and customer.known_account is not None:
            yield customer


def _may_be_cleared(customer: StagedCustomer, mappings: Mappings) -> Iterator[str]:
    """Yield the fields without a value that an update would clear if the BSS had one."""
    records = (
        ("", customer.account, mappings.account),
        ("contact.", customer.contact, mappings.contact),
        ("", customer.sync_options, mappings.sync_options),
    )
    for prefix, values, fields in records:
        for path, value in flatten(values):
            if is_blank(value) and _is_clearable(path, fields):
                yield prefix + path


def _is_clearable(path: str, fields: Mapping[str, FieldMapping]) -> bool:
    is_by_rule = path in fields and fields[path].on_empty == "clear"
    return is_by_rule or path.startswith(ADDRESS_PREFIX)


async def _count_cleared(run: Run, engine: Engine, suspects: set[str]) -> Counter[str]:
    """Count per field the customers that would lose a value, among those without one in a suspect field."""
    config = run.instance.bss
    organisation = read_organisation(engine, run.key)
    cleared: Counter[str] = Counter()
    async with open_bss(run, engine) as client:
        comparer = Comparer(client, organisation, run.mappings)
        turn = asyncio.Semaphore(config.slots)

        async def compare(customer: StagedCustomer) -> None:
            async with turn:
                cleared.update(await _cleared(comparer, customer))

        chunks = _chunks(run, engine, suspects)
        while chunk := await asyncio.to_thread(next, chunks, None):
            await asyncio.gather(*map(compare, chunk))
    return cleared


def _chunks(run: Run, engine: Engine, suspects: set[str]) -> Iterator[list[StagedCustomer]]:
    chunk: list[StagedCustomer] = []
    for customer in _differing(run, engine):
        if suspects.isdisjoint(_may_be_cleared(customer, run.mappings)):
            continue
        chunk.append(customer)
        if len(chunk) == _COMPARED_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _cleared(comparer: Comparer, customer: StagedCustomer) -> Sequence[str]:
    account_id = customer.known_account
    if account_id is None:
        return ()
    contact_id = customer.link.contact_id if customer.link else None
    try:
        comparison = await comparer.compare(customer, account_id, contact_id)
    except RejectedRequestError:
        return ()  # the load says it on the customer's result
    return comparison.cleared if comparison else ()


def _message(run: Run, too_many: Mapping[str, int], total: int, without_any: Sequence[str]) -> str:
    shares = ", ".join(
        f"{name} ({_source(name, run.mappings)}) for {count} of {total} customers ({count / total:.1%})"
        for name, count in sorted(too_many.items(), key=lambda item: -item[1])
    )
    if without_any:
        cause = (
            f"No customer that would be updated has a value in Partner Center for {', '.join(without_any)}: most "
            "likely the mapping names a source that is not filled, or the connection may no longer read it."
        )
    else:
        cause = (
            "Most likely the values were entered in the BSS and never in Partner Center, or many were removed there "
            "at once."
        )
    return (
        f"The load would empty {shares}, more than the {run.params.max_rejected_percent:g} % that max_rejected_percent "
        f"allows. Nothing was written to the BSS. {cause} Set on_empty: keep for the field in the mapping files to "
        "keep the values; or, if they are to go, start the run with a higher max_rejected_percent. A preview shows "
        "the customers."
    )


def _source(name: str, mappings: Mappings) -> str:
    is_of_contact = name.startswith("contact.")
    fields: Mapping[str, FieldMapping] = (
        mappings.contact if is_of_contact else {**mappings.sync_options, **mappings.account}
    )
    field = fields.get(name.removeprefix("contact.") if is_of_contact else name)
    return field.source if field else "not mapped"
