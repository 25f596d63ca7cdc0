"""Rows for the pages to show."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from customer_import.database.tables import (
    drift_findings,
    import_results,
    import_runs,
    staged_accounts,
    staged_contacts,
    staged_customers,
    tenant_links,
)
from customer_import.vocabulary import ImportType, Outcome, dag_id_of
from customer_import.web.rights import Rights

if TYPE_CHECKING:
    from sqlalchemy import Engine

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def tenant_id(number: int) -> str:
    return str(uuid.UUID(int=number))


EVERYTHING = Rights(frozenset(ImportType))


def add_run(engine: Engine, import_type: ImportType = ImportType.DIRECT, **values: Any) -> int:
    row = {
        "dag_id": import_type.dag_id,
        "airflow_run_id": f"manual__{uuid.uuid4()}",
        "import_type": import_type.value,
        "instance": "sandbox",
        "mode": "import",
        "state": "success",
        "started_by": "ada",
        "params": {"instance": "sandbox", "tenants": [], "mode": "import", "on_existing": "skip"},
        "started_at": START,
        "ended_at": START + timedelta(seconds=90),
        "extracted": 10,
        "listed": 10,
        "discovered": 10,
        "batches": 1,
    } | values
    with engine.begin() as connection:
        added = insert(import_runs).values(row).returning(import_runs.c.id)
        return connection.execute(added).scalar_one()


def add_results(engine: Engine, run_key: int, *rows: dict[str, Any], **common: Any) -> None:
    full = [
        {
            "run_id": run_key,
            "tenant_id": tenant_id(number),
            "import_type": "direct",
            "instance": "sandbox",
            "tenant_name": f"Company {number:05}",
            "domain": f"company{number:05}.onmicrosoft.com",
            "reseller_mpn_id": None,
            "reseller_name": None,
            "outcome": Outcome.CREATED.value,
            "reason_code": "new",
            "reason": "A new account was created.",
            "warnings": None,
            "account_id": 1000 + number,
            "contact_id": 2000 + number,
            "attempts": 1,
            "task_id": "load_customers",
            "map_index": 0,
            "fields": None,
            "candidates": None,
            "recorded_at": START + timedelta(seconds=number),
        }
        | common
        | row
        for number, row in enumerate(rows)
    ]
    with engine.begin() as connection:
        connection.execute(insert(import_results), full)


def add_drift(engine: Engine, run_key: int, *rows: dict[str, Any]) -> None:
    """Store findings of a check, one customer each unless a row says otherwise."""
    full = [
        {
            "run_id": run_key,
            "tenant_id": tenant_id(number),
            "kind": "fields_edited",
            "tenant_name": f"Company {number:05}",
            "domain": f"company{number:05}.onmicrosoft.com",
            "account_id": 1000 + number,
            "contact_id": 2000 + number,
            "detail": "Differs: name.",
            "fields": None,
            "found_at": START,
        }
        | row
        for number, row in enumerate(rows)
    ]
    with engine.begin() as connection:
        connection.execute(insert(drift_findings), full)


def add_staged(engine: Engine, run_key: int, *rows: dict[str, Any], **common: Any) -> None:
    full = [
        {
            "run_id": run_key,
            "tenant_id": tenant_id(number),
            "position": number,
            "tenant_name": f"Company {number:05}",
            "domain": f"company{number:05}.onmicrosoft.com",
            "relationship": "reseller",
            "state": "fetched",
            "is_discovered": True,
            "reseller_mpn_id": None,
            "reseller_name": None,
            "source": None,
            "domain_prefix": None,
        }
        | common
        | row
        for number, row in enumerate(rows)
    ]
    with engine.begin() as connection:
        connection.execute(insert(staged_customers), full)


def add_link(engine: Engine, number: int, **values: Any) -> None:
    row = {
        "instance": "sandbox",
        "tenant_id": tenant_id(number),
        "import_type": "direct",
        "account_id": 1000 + number,
        "contact_id": 2000 + number,
        "account_step": "done",
        "contact_step": "done",
        "sync_options_step": "done",
        "content_hash": "abc",
        "created_at": START,
        "updated_at": START,
    } | values
    with engine.begin() as connection:
        connection.execute(insert(tenant_links).values(row))


def add_two_instances(engine: Engine) -> dict[str, int]:
    """Store two runs, a customer and a link of each of the instances north and south; return the newest runs' keys."""
    keys = {}
    for number, name in enumerate(("north", "south")):
        for dag_id in (dag_id_of(ImportType.DIRECT, name), ImportType.DIRECT.dag_id):
            key = add_run(engine, dag_id=dag_id, airflow_run_id=f"run-{name}", instance=name)
            company = {"tenant_id": tenant_id(number), "tenant_name": f"{name.title()} company"}
            add_results(engine, key, company, instance=name)
            add_staged(engine, key, company)
            keys[name] = key
        add_link(engine, number, instance=name, account_id=5000 + number)
    return keys


def add_sent(engine: Engine, run_key: int, number: int, *, before: dict[str, Any]) -> None:
    key = {"run_id": run_key, "tenant_id": tenant_id(number)}
    account = {"name": "New name", "billingAddress": {"city": "Köln", "countryId": 1020}}
    with engine.begin() as connection:
        connection.execute(
            insert(staged_accounts).values(
                **key,
                batch=0,
                payload=json.dumps(account).encode(),
                sync_options=json.dumps({"Domain prefix": "company"}).encode(),
                content_hash="abc",
                bss_before=json.dumps(before).encode(),
            )
        )
        connection.execute(
            insert(staged_contacts).values(**key, payload=json.dumps({"firstName": "Ada"}).encode())
        )
