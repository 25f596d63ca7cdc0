"""A run with staged customers against a sandbox BSS; also the process that crash tests kill.

Customers are staged directly, so that these tests say nothing of extraction and transform.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from sqlalchemy import select

from customer_import.database.engine import open_engine, reading, upsert
from customer_import.database.tables import (
    import_results,
    staged_accounts,
    staged_contacts,
    staged_customers,
    tenant_links,
)
from customer_import.failpoints import KILL_VARIABLE
from customer_import.runs.parameters import RunParams
from customer_import.runs.reference_data import put_reference
from customer_import.runs.run import open_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from customer_import.vocabulary import ImportType, ReferenceName
from sandbox import FaultKind, FaultRule
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.tasks.load.report import LoadSummary
    from sandbox import SandboxServer
    from sandbox.bss.models import Account
    from sandbox.bss.organisation import Organisation as BssRecords

MPN = "4847383"
DOMAIN_PREFIX, MPN_OPTION = "Domain prefix", "Reseller (MPN ID)"


@dataclass(frozen=True)
class Customer:
    """A customer as the transform would stage it; everybody here is invented."""

    name: str
    tenant_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    city: str | None = "Thessaloniki"
    email: str | None = "office@example.com"
    phone: str | None = "+30 2310 555010"
    first_name: str = "Eleni"
    options: dict[str, str] = field(default_factory=dict)
    is_in_both_lists: bool = False
    reseller: str | None = None
    bill_to: int | None = None
    owner: int | None = None

    def having(self, **changes: Any) -> Customer:
        return replace(self, **changes)

    def account(self, country_id: int) -> dict[str, object]:
        address = {"countryId": country_id, "city": self.city}
        values: dict[str, object] = {"name": self.name, "email": self.email, "phone": self.phone}
        values |= {"billToAccountId": self.bill_to, "responsibleUserId": self.owner}
        return {**_present(values), "billingAddress": _present(address)}

    def contact(self) -> dict[str, object]:
        values = {"firstName": self.first_name, "lastName": "Example", "email": self.email}
        return _present(values)

    def sync_options(self) -> dict[str, str]:
        return {DOMAIN_PREFIX: self.tenant_id[:8], **self.options}


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def customers(count: int) -> list[Customer]:
    return [Customer(f"Example Company {number}") for number in range(count)]


@dataclass
class Scene:
    """Runs loads and shows what they left behind."""

    engine: Engine
    sandbox: SandboxServer
    folder: Path
    runs: int = 0

    @property
    def records(self) -> BssRecords:
        return self.sandbox.state.organisations["provider"]

    @property
    def accounts(self) -> list[Account]:
        return list(self.records.accounts.values())

    def requests(self, *verbs: str) -> int:
        """Requests that the BSS got, token requests apart; only those whose endpoint ends so."""
        return sum(
            sum(statuses.values())
            for name, statuses in self.sandbox.requests.by_endpoint().items()
            if name.startswith("bss.") and "token" not in name and name.endswith(verbs or ("",))
        )

    @property
    def writes(self) -> int:
        return self.requests(".create", ".patch", "sync_options.post", ".put")

    def configure(
        self, reseller_bss_accounts: Mapping[str, int] | None = None, **bss: object
    ) -> None:
        settings = {
            "settle_delay_s": 0.05,
            "ordering_options": "standard",
            "request_timeout_s": 5.0,
            "concurrency": 4,
            **bss,
        }
        instance: dict[str, object] = {
            "title": "Test",
            "import_types": ["direct", "indirect"],
            "bss": settings,
        }
        if reseller_bss_accounts:
            instance["reseller_bss_accounts"] = dict(reseller_bss_accounts)
        path = self.folder / "instances.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "instances": {"default": instance}}))

    def begin(self, import_type: ImportType = ImportType.DIRECT, **params: object) -> Run:
        self.runs += 1
        parsed = RunParams.parse({"instance": "default", **params})
        run = begin_run(
            self.engine, import_type.dag_id, f"run {self.runs}", import_type, parsed, "tests"
        )
        put_reference(self.engine, run.key, ReferenceName.ORGANISATION, self.organisation(run))
        return run

    def organisation(self, run: Run) -> object:
        from customer_import.bss.client import BssClient
        from customer_import.bss.hook import BssHook
        from customer_import.bss.organisation import read_organisation

        async def read() -> object:
            async with BssHook().session(run.instance.bss) as session:
                found = await read_organisation(BssClient(session), run.instance.bss)
            return found.model_dump(mode="json")

        return asyncio.run(read())

    def country_id(self, code: str = "GR") -> int:
        return next(c.id for c in self.records.setup.countries if c.code == code)

    def stage(self, run: Run, staged: Sequence[Customer], batch: int = 0) -> None:
        rows: dict[Any, list[dict[str, object]]] = {
            staged_customers: [],
            staged_accounts: [],
            staged_contacts: [],
        }
        for position, customer in enumerate(staged):
            key = {"run_id": run.key, "tenant_id": customer.tenant_id}
            account, contact = customer.account(self.country_id()), customer.contact()
            options = customer.sync_options()
            hashed = {name: value for name, value in account.items() if not name.endswith("Id")}
            content = orjson.dumps([hashed, contact, options], option=orjson.OPT_SORT_KEYS)
            rows[staged_customers].append(
                {
                    **key,
                    "position": position,
                    "tenant_name": customer.name,
                    "domain": "example.onmicrosoft.com",
                    "state": "fetched",
                    "is_discovered": True,
                    "is_in_both_lists": customer.is_in_both_lists,
                    "reseller_mpn_id": customer.reseller,
                }
            )
            rows[staged_accounts].append(
                {
                    **key,
                    "batch": batch,
                    "payload": orjson.dumps(account),
                    "sync_options": orjson.dumps(options),
                    "content_hash": blake2b(content, digest_size=20).hexdigest(),
                }
            )
            rows[staged_contacts].append({**key, "payload": orjson.dumps(contact)})
        with self.engine.begin() as connection:
            for table, values in rows.items():
                upsert(connection, table, values)

    def load(self, run: Run, batch: int = 0, attempt: int = 1) -> LoadSummary:
        return load(run, self.engine, batch, attempt)

    def run(
        self,
        staged: Sequence[Customer],
        import_type: ImportType = ImportType.DIRECT,
        **params: object,
    ) -> Run:
        """Begin, stage and load in one go."""
        run = self.begin(import_type, **params)
        self.stage(run, staged)
        self.load(run)
        return run

    def results(self, run: Run) -> dict[str, Any]:
        statement = select(import_results).where(import_results.c.run_id == run.key)
        with reading(self.engine) as connection:
            return {row.tenant_id: row for row in connection.execute(statement)}

    def outcomes(self, run: Run) -> list[str]:
        return sorted(row.outcome for row in self.results(run).values())

    def links(self) -> dict[str, Any]:
        with reading(self.engine) as connection:
            return {row.tenant_id: row for row in connection.execute(select(tenant_links))}

    def existing(self, name: str, marker: str | None) -> Account:
        """Put an account into the BSS that some person made there."""
        fields = {self.records.setup.tenant_marker.id: marker} if marker else {}
        return self.records.create_account({"name": name}, fields, existing_kind="test")

    def account_of(self, customer: Customer) -> Account:
        return next(a for a in self.accounts if self.records.marker(a) == customer.tenant_id)

    def options_of(self, account: Account) -> dict[str, str]:
        system_id = self.records.setup.microsoft.id
        return self.records.sync_options.get((account.id, system_id), {})

    def faults(self) -> dict[str, int]:
        """What must never be there after a load that went through."""
        contacts = [self.records.contacts_of(account.id) for account in self.accounts]
        markers = [self.records.marker(account) for account in self.accounts]
        known = [marker for marker in markers if marker]
        counted = {
            "duplicates": len(known) - len(set(known)),
            "accounts without one contact": sum(len(group) != 1 for group in contacts),
            "contacts without flags": sum(
                not (contact.values.get("isPrimary") and contact.values.get("isBillTo"))
                for group in contacts
                for contact in group
            ),
            "accounts without sync options": sum(not self.options_of(a) for a in self.accounts),
            "violations": len(self.records.counters.violations),
            "synchronizations": self.records.counters.synchronizations,
        }
        return {name: number for name, number in counted.items() if number}


def fault(endpoint: str, kind: FaultKind, calls: tuple[int, ...] = (), **more: Any) -> FaultRule:
    return FaultRule(endpoint=endpoint, kind=kind, calls=calls, **more)


def load(
    run: Run,
    engine: Engine,
    batch: int,
    attempt: int,
    after_listing: Callable[[], object] = lambda: None,
) -> LoadSummary:
    list_accounts(run, engine)
    after_listing()
    return load_batch(run, engine, batch, attempt=attempt, map_index=batch)


def connection_json(sandbox: SandboxServer) -> str:
    organisation = sandbox.info.provider
    scheme, _, address = sandbox.info.bss_url.partition("://")
    host, _, port = address.partition(":")
    return json.dumps(
        {
            "conn_type": "interworks_bss",
            "schema": scheme,
            "host": host,
            "port": int(port),
            "login": organisation.username,
            "password": organisation.password,
            "extra": {
                "client_key": organisation.client_key,
                "client_secret": organisation.client_secret,
            },
        }
    )


if __name__ == "__main__":  # a load in a process of its own, to be killed
    engine_url, run_key, attempt_number = sys.argv[1:]
    own_engine = open_engine(engine_url)
    load(open_run(own_engine, int(run_key)), own_engine, 0, int(attempt_number))
    sys.exit(0 if os.environ.get(KILL_VARIABLE) is None else 3)
