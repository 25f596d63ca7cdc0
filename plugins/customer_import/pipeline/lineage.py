"""Which data each task reads and writes, told to Airflow's lineage collector when somebody listens.

Told at run time and not as inlets and outlets of the tasks: which tenant, database and organisation it is, only the run
knows; and an outlet would be an asset that every successful task updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.sdk.lineage import NoOpCollector, get_hook_lineage_collector

from customer_import.bss.hook import BssHook
from customer_import.database import tables
from customer_import.lineage import DataSet
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.vocabulary import TaskId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine, Table

    from customer_import.runs.run import Run

    Place = str | Table

_PARTNER_CENTER: Final = ("/v1/customers", "/v1/customers/{id}/subscriptions")
_BSS: Final = ("/api/accounts", "/api/contacts")
_FLOW: Final[dict[TaskId, tuple[tuple[Place, ...], tuple[Place, ...]]]] = {
    TaskId.EXTRACT_CUSTOMERS: (_PARTNER_CENTER, (tables.staged_customers,)),
    TaskId.VALIDATE_CUSTOMERS: (
        (tables.staged_customers,),
        (tables.validation_results, tables.validation_findings),
    ),
    TaskId.TRANSFORM_CUSTOMERS: (
        (tables.staged_customers,),
        (tables.staged_accounts, tables.staged_contacts),
    ),
    TaskId.LIST_ACCOUNTS: (_BSS[:1], (tables.bss_accounts,)),
    TaskId.LOAD_CUSTOMERS: (
        (tables.staged_accounts, tables.staged_contacts),
        (*_BSS, tables.tenant_links, tables.import_results),
    ),
}
"""What each task reads, and what it writes."""


def tell_lineage(task_id: TaskId, run: Run, engine: Engine) -> None:
    """Tell what a task reads and writes.

    Args:
        task_id: The task.
        run: Its run; one that writes nothing to the BSS says so.
        engine: The import's database.

    Raises:
        ConfigurationError: The connection that the task needs is wrong.
    """
    collector = get_hook_lineage_collector()
    if isinstance(collector, NoOpCollector):
        return
    inputs, outputs = _FLOW.get(task_id, ((), ()))
    if not run.writes:
        outputs = tuple(place for place in outputs if place not in _BSS)
    context = BssHook(run.instance.bss.conn_id)  # Airflow only wants to know whose words they are
    for found in _data_sets(inputs, run, engine):
        collector.add_input_asset(context, uri=found.uri, asset_extra=found._asdict())
    for found in _data_sets(outputs, run, engine):
        collector.add_output_asset(context, uri=found.uri, asset_extra=found._asdict())


def _data_sets(places: Iterable[Place], run: Run, engine: Engine) -> list[DataSet]:
    return [
        DataSet(_api_of(place, run), place)
        if isinstance(place, str)
        else _data_set_of(place, engine)
        for place in places
    ]


def _api_of(path: str, run: Run) -> str:
    if path in _BSS:
        return BssHook(run.instance.bss.conn_id).connection.address.base_url
    return PartnerCenterHook(run.instance.partner_center.conn_id).settings.base_url


def _data_set_of(table: Table, engine: Engine) -> DataSet:
    """Name a table: by OpenLineage's rule for PostgreSQL; for SQLite, which has none, the file is the namespace."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return DataSet(f"sqlite://{url.database}", table.name)
    schema = engine.dialect.default_schema_name or "public"
    namespace = f"postgres://{url.host or 'localhost'}:{url.port or 5432}"
    return DataSet(namespace, f"{url.database}.{schema}.{table.name}")
