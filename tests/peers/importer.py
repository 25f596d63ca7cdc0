"""Records of anybody as customers of one run: staged, validated, transformed and loaded by the library."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import orjson

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.partner_center.client import PartnerCenterClient
from customer_import.partner_center.flatten import FlatCustomer
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.partner_center.models import ListedTenant, is_guid
from customer_import.runs.parameters import RunParams
from customer_import.runs.run import begin_reading
from customer_import.tasks.extract.classification import Classifier
from customer_import.tasks.extract.country_rules import read_country_rules
from customer_import.tasks.extract.staged_tenant import StagedTenant
from customer_import.tasks.extract.staging import CustomerStaging
from customer_import.tasks.start import prepare_run
from customer_import.tasks.transform.transform import transform_customers
from customer_import.tasks.validate.validate import validate_customers
from customer_import.vocabulary import ImportType
from tests.support.library_run import finish, load
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.tasks.finish.summary import Summary

Record = dict[str, Any]
NAME, EMAIL = "companyProfile.companyName", "billingProfile.email"


def import_customers(
    instance: str, database: str, customers: Sequence[tuple[ListedTenant, FlatCustomer]]
) -> Summary:
    """Import customers in a run of their own; those that are there already are compared.

    Args:
        instance: Whose BSS.
        database: Address of the import's database, which is made when it is not there.
        customers: What would have been read of Partner Center.
    """
    engine = open_engine(database)
    try:
        migrate(engine)
        params = {"instance": instance, "max_rejected_percent": 100, "max_failed_percent": 100}
        run = begin_run(
            engine,
            ImportType.DIRECT.dag_id,
            f"peer__{uuid.uuid4()}",
            ImportType.DIRECT,
            RunParams.parse(params),
            "peer",
        )
        hook = PartnerCenterHook(
            run.instance.partner_center.conn_id, save_refresh_token=lambda _: None
        )
        prepare_run(run, engine, hook)
        asyncio.run(_stage(run, engine, hook, dict(customers)))
        validate_customers(run, engine)
        transform_customers(run, engine)
        return finish(engine, load(engine, run))
    finally:
        engine.dispose()


async def _stage(
    run: Run,
    engine: Engine,
    hook: PartnerCenterHook,
    customers: Mapping[ListedTenant, FlatCustomer],
) -> None:
    staging = CustomerStaging(run, engine, begin_reading(engine, run))
    classifier = Classifier(run.import_type, run.instance)
    await staging.add_listed(list(customers))
    async for pending in staging.pending():
        found = classifier.by_subscriptions(pending.tenant, ())
        await staging.add(StagedTenant(pending, found, (), customers[pending.tenant]))
    await staging.flush()
    config = run.instance.partner_center
    async with hook.session(config) as session:
        await read_country_rules(run, engine, PartnerCenterClient(session, config), staging)


def customer_of(record: Record) -> tuple[ListedTenant, FlatCustomer]:
    """Return the customer that a record of the stream ``customers`` is."""
    tenant = ListedTenant(
        record["tenant_id"], record.get("name"), record.get("domain"), record.get("relationship")
    )
    customer = FlatCustomer(
        record["source"],
        b"{}",
        has_billing_profile=bool(record.get("has_billing_profile", True)),
        has_delegated_access=bool(record.get("has_delegated_access", True)),
        domain_prefix=record.get("domain_prefix"),
    )
    return tenant, customer


def stand_in(
    stream: str, keys: Sequence[str], record: Record, defaults: Mapping[str, str]
) -> tuple[ListedTenant, FlatCustomer]:
    """Return a customer for a record of any other stream: one for each key, or for each content without keys.

    Args:
        stream: Its name.
        keys: Names of the properties that tell records apart.
        record: The record.
        defaults: Path to value, for what a customer must have.
    """
    content = {key: record[key] for key in keys} if keys else record
    told = orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS).decode()
    tenant_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{stream} {told}"))
    name = f"{stream} {told}"
    email = record.get("email")
    own = {NAME: name} | ({EMAIL: email} if isinstance(email, str) else {})
    return (
        ListedTenant(tenant_id, name[:100], None, "reseller"),
        FlatCustomer({**defaults, **own}, b"{}", True, True, None),
    )


def is_customer(record: Record) -> bool:
    """Whether a record is one of the stream ``customers``."""
    tenant_id = record.get("tenant_id")
    return (
        isinstance(record.get("source"), dict) and isinstance(tenant_id, str) and is_guid(tenant_id)
    )
