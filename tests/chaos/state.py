"""What stands in the BSS and in the results after an import, customer by customer, and what differs.

Ids and times are left out: they differ between any two imports. Everything else must be equal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, import_runs
from sandbox.bss.setup import PROVIDER, TENANT_RESELLER
from tests.support.bss_state import faults_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from sandbox import SandboxServer
    from sandbox.bss.models import Account
    from sandbox.bss.organisation import Organisation

_WRITES = (".create", ".patch", ".put", "sync_options.post")
_IDS = ("id", "accountId", "billToAccountId")
_SHOWN = 5


@dataclass(frozen=True)
class BssState:
    """Accounts by owner: the tenant whose marker they carry, or their name when they carry none."""

    accounts: dict[str, tuple[bytes, ...]]

    @classmethod
    def of(cls, sandbox: SandboxServer) -> BssState:
        found: dict[str, list[bytes]] = {}
        for key in (PROVIDER, TENANT_RESELLER):
            organisation = sandbox.bss.organisations[key]
            for account in list(organisation.accounts.values()):
                owner = organisation.marker(account) or f"without marker: {account.name}"
                found.setdefault(f"{key} {owner}", []).append(_form(organisation, account))
        return cls({owner: tuple(sorted(forms)) for owner, forms in found.items()})


def _form(organisation: Organisation, account: Account) -> bytes:
    """Everything of an account, its contacts and sync options, except ids and times."""
    document = {
        "account": _without_ids(account.values),
        "customFields": {str(k): v.lower() for k, v in account.custom_fields.items()},
        "contacts": sorted(
            orjson.dumps(_without_ids(contact.values), option=orjson.OPT_SORT_KEYS).decode()
            for contact in organisation.contacts_of(account.id)
        ),
        "syncOptions": organisation.sync_options.get(
            (account.id, organisation.setup.microsoft.id), {}
        ),
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _without_ids(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _IDS}


def results_of(engine: Engine, run_id: str) -> dict[str, str]:
    """Return the outcome of every tenant of a run, by Airflow run id."""
    statement = (
        select(import_results.c.tenant_id, import_results.c.outcome)
        .join(import_runs, import_runs.c.id == import_results.c.run_id)
        .where(import_runs.c.airflow_run_id == run_id)
    )
    with reading(engine) as connection:
        return {row.tenant_id: row.outcome for row in connection.execute(statement)}


def writes_of(sandbox: SandboxServer) -> int:
    """Count the BSS writes that reached the sandbox, whatever became of them."""
    return sum(
        sum(statuses.values())
        for endpoint, statuses in sandbox.requests.by_endpoint().items()
        if endpoint.startswith("bss.") and endpoint.endswith(_WRITES)
    )


@dataclass
class Differences:
    """What a disturbed import did other than an undisturbed one.

    Attributes:
        lost: Tenants without their account, contact or result.
        duplicates: Accounts and contacts beyond those of the undisturbed import.
        wrong: Tenants that stand otherwise, outcomes that differ, findings of the sandbox's check,
            writes of a second run, and whatever else must not be.
        notes: The first few of them, in words.
    """

    lost: int = 0
    duplicates: int = 0
    wrong: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicates or self.wrong)

    def add(self, kind: str, text: str, count: int = 1) -> None:
        setattr(self, kind, getattr(self, kind) + count)
        if len(self.notes) < _SHOWN:
            self.notes.append(f"{kind}: {text}")


def compare_bss(
    found: Differences, sandbox: SandboxServer, actual: BssState, expected: Sequence[BssState]
) -> None:
    """Compare owner by owner; each must stand as in one of the expected states.

    More than one state is expected only where two imports race for the same tenants.
    """
    owners = set().union(actual.accounts, *(state.accounts for state in expected))
    for owner in sorted(owners):
        have = actual.accounts.get(owner, ())
        wanted = [state.accounts.get(owner, ()) for state in expected]
        most, least = max(map(len, wanted)), min(map(len, wanted))
        if len(have) < least:
            found.add("lost", owner, least - len(have))
        elif len(have) > most:
            found.add("duplicates", owner, len(have) - most)
        elif have not in wanted:
            found.add("wrong", f"{owner}: {_first_difference(have, wanted[0])}")
    for figure, count in faults_of(sandbox).items():
        kind = "duplicates" if "duplicate" in figure or "more_contacts" in figure else "wrong"
        found.add(kind, f"the sandbox's check: {figure} {count}", count)


def compare_results(found: Differences, actual: dict[str, str], expected: dict[str, str]) -> None:
    """Compare outcome by outcome."""
    for tenant in sorted(expected.keys() | actual.keys()):
        have, wanted = actual.get(tenant), expected.get(tenant)
        if have is None:
            found.add("lost", f"{tenant} has no result")
        elif have != wanted:
            found.add("wrong", f"{tenant} is {have}, not {wanted}")


def outcomes_in_words(results: dict[str, str]) -> str:
    counts = Counter(results.values())
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts))


def _first_difference(have: tuple[bytes, ...], wanted: tuple[bytes, ...]) -> str:
    """Name the parts that differ; their values may be personal."""
    for mine, theirs in zip(have, wanted, strict=False):
        if mine != theirs:
            left, right = orjson.loads(mine), orjson.loads(theirs)
            return ", ".join(part for part in left if left[part] != right[part])
    return "number of accounts"
