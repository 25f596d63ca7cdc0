"""Two instances of one BSS organisation, and a person, at work on the same tenants."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from customer_import.database.engine import reading
from customer_import.database.tables import staged_accounts, staged_customers, tenant_links
from customer_import.vocabulary import ImportType
from sandbox import FaultKind, FaultRule
from sandbox.bss.setup import PROVIDER
from tests.chaos.arena import TWIN
from tests.chaos.state import BssState, compare_bss, results_of
from tests.chaos.worker import Kill
from tests.support.bss_state import faults_of
from tests.support.databases import open_databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.bss.organisation import Organisation
    from tests.chaos.arena import Arena, Case

CLOCKS_APART_S = 300.0
_LOST = 0.1
_BY_HAND, _HALF = 60, 600
_KILLS = (
    ("after_account_post", 40),
    ("before_account_post", 50),
    ("after_contact_post", 60),
    ("after_account_outcome", 50),
    ("before_results_commit", 1),
)


def overlap_twins(arena: Arena) -> Iterator[Case]:
    """Run the same import of two instances at once, killed, with lost answers, on hosts whose clocks are apart."""
    undisturbed = arena.undisturbed(ImportType.DIRECT)
    with (
        open_databases("postgres", arena.folder) as (database, _),
        arena.case("overlap of two instances", database.url) as case,
    ):
        arena.sandbox.faults.replace(
            FaultRule(endpoint=name, kind=FaultKind.RESET_AFTER, probability=_LOST)
            for name in ("bss.accounts.create", "bss.contacts.create")
        )
        jobs = [
            case.job(ImportType.DIRECT, "one"),
            case.job(
                ImportType.DIRECT,
                "other",
                params={"instance": TWIN},
                clock_ahead_s=CLOCKS_APART_S,
            ),
        ]
        for turn in zip(_KILLS, reversed(_KILLS), strict=True):
            processes = [case.begin(job, Kill(*kill)) for job, kill in zip(jobs, turn, strict=True)]
            for process in processes:
                process.join()
            case.kills += sum(process.exitcode == -signal.SIGKILL for process in processes)
        for job in jobs:
            case.finish(job)
        arena.sandbox.faults.replace(())
        actual = BssState.of(arena.sandbox)
        compare_bss(case.found, arena.sandbox, actual, [undisturbed.state])
        for job in jobs:
            case.lost_results(results_of(case.engine, job.run_id), undisturbed.results)
        case.overlaps = 1
        case.run_again(ImportType.DIRECT)
        case.close(*jobs)
        yield case


def accounts_by_hand(arena: Arena) -> Iterator[Case]:
    """Let a person make accounts that carry the tenant marker while the import is at work, killed once."""
    bss = arena.sandbox.bss.organisations[PROVIDER]
    with arena.case("accounts made by hand in mid-run") as case:
        job = case.job(ImportType.DIRECT, "disturbed")
        made: dict[str, int] = {}

        def make(*, in_last_batch: bool) -> None:
            for tenant_id, name in _not_created(case, bss, in_last_batch=in_last_batch)[:_BY_HAND]:
                marker = {bss.setup.tenant_marker.id: tenant_id}
                made[tenant_id] = bss.create_account(
                    {"name": name}, marker, existing_kind="hand"
                ).id

        kill = case.begin(job, Kill("after_account_outcome", 30))
        kill.join()
        case.kills += kill.exitcode == -signal.SIGKILL
        make(in_last_batch=False)
        process = case.begin(job)
        while len(bss.accounts) < _HALF and process.is_alive():
            time.sleep(0.05)
        make(in_last_batch=True)
        process.join()
        case.finish(job)
        for tenant_id, account_id in made.items():
            if (kept := _link(case, tenant_id)) != account_id:
                case.found.add("wrong", f"{tenant_id} is account {kept}, not {account_id}")
        for figure, count in faults_of(arena.sandbox).items():
            is_double = "duplicate" in figure or "more_contacts" in figure
            case.found.add("duplicates" if is_double else "wrong", f"{figure} {count}", count)
        case.notes.append(f"{len(made)} accounts made by hand")
        case.run_again(ImportType.DIRECT)
        case.close(job)
        yield case


def _not_created(case: Case, bss: Organisation, *, in_last_batch: bool) -> list[tuple[str, str]]:
    """Return tenants, with their names, that the run is to create and that have no account yet."""
    accounts, customers = staged_accounts.c, staged_customers.c
    has_account = {bss.marker(account) for account in bss.accounts.values()}
    last = select(func.max(accounts.batch)).scalar_subquery()
    query = (
        select(accounts.tenant_id, customers.tenant_name)
        .join(
            staged_customers,
            and_(customers.run_id == accounts.run_id, customers.tenant_id == accounts.tenant_id),
        )
        .where(accounts.batch == last if in_last_batch else accounts.batch < last)
        .order_by(accounts.tenant_id)
    )
    with reading(case.engine) as connection:
        rows = connection.execute(query).all()
    return [(row.tenant_id, row.tenant_name) for row in rows if row.tenant_id not in has_account]


def _link(case: Case, tenant_id: str) -> int | None:
    query = select(tenant_links.c.account_id).where(tenant_links.c.tenant_id == tenant_id)
    with reading(case.engine) as connection:
        return connection.execute(query).scalar_one_or_none()
