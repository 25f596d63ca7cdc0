"""Makes whatever an Airflow needs before the first import, and says what only a person can do.

It may be run as often as one likes: what is there already stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.configuration import conf

from customer_import.bss.hook import BssHook
from customer_import.cli.airflow_context import (
    NoAirflowDatabaseError,
    missing_roles,
    seen_dags,
    turn_on,
)
from customer_import.cli.check import BSS, PARTNER_CENTER, check_mappings
from customer_import.cli.database import ready_engine
from customer_import.config.instances import load_each_instance
from customer_import.config.paths import instances_path
from customer_import.config.roles import STARTER, VIEWER
from customer_import.database.faults import place_of
from customer_import.errors import ConfigurationError, CustomerImportError
from customer_import.http.finding import Finding
from customer_import.machines import has_several
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.pipeline.maintenance_dag import DAG_ID as MAINTENANCE
from customer_import.vocabulary import ImportType, dag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from customer_import.config.instances import InstanceConfig
    from customer_import.errors import CustomerImportError as Error

_LEAST_REQUEUES = 100
_IMPORT_ROLES = "customer-import roles | airflow roles import /dev/stdin"


def set_up() -> Iterator[Finding]:
    """Yield what was made, what was there, and what is still to be done, one subject after the other."""
    yield _database()
    instances: dict[str, InstanceConfig] = {}
    for name, one in _read_instances().items():
        if isinstance(one, CustomerImportError):
            yield Finding.wrong(name, one)
            continue
        instances[name] = one
        yield Finding(name, f"is configured: {one.title}")
        for finding in _looks(one):
            yield replace(finding, subject=f"{name}, {finding.subject}")
    yield from _in_airflow(instances.values())
    if (queue := _look_at_queue()) is not None:
        yield queue


def _database() -> Finding:
    try:
        engine = ready_engine()
    except CustomerImportError as error:
        return Finding.wrong("database", error)
    return Finding("database", f"{place_of(engine.url)} has the newest tables")


def _read_instances() -> dict[str, InstanceConfig | Error]:
    try:
        found = load_each_instance()
    except ConfigurationError as error:
        return {str(instances_path()): error}
    return dict(found)


def _looks(instance: InstanceConfig) -> Iterator[Finding]:
    """Look at what an instance names; nothing is asked of its services: ``check`` does that."""
    partner_center, bss = instance.partner_center.conn_id, instance.bss.conn_id
    yield check_mappings(instance)
    yield _connection(
        PARTNER_CENTER, partner_center, lambda: PartnerCenterHook(partner_center).settings
    )
    yield _connection(BSS, bss, lambda: BssHook(bss).connection)


def _connection(end: str, conn_id: str, read: Callable[[], object]) -> Finding:
    try:
        read()
    except CustomerImportError as error:  # to be made by a person, perhaps after this
        return Finding(end, str(error), is_warning=True)
    return Finding(end, f"connection {conn_id} is complete")


def _in_airflow(instances: Iterable[InstanceConfig]) -> Iterator[Finding]:
    """Look at Airflow's own database, and turn the DAG of housekeeping on there."""
    try:
        dags = seen_dags()
        yield _turn_on_maintenance(dags)
        found = sorted(name for name in dags if dag_of(name) is not None)
        yield Finding("DAGs", ", ".join(found)) if found else _unseen(ImportType.DIRECT.dag_id)
        if (roles := _look_at_roles(instances)) is not None:
            yield roles
    except NoAirflowDatabaseError as error:
        yield Finding.wrong("database of Airflow", error)


def _turn_on_maintenance(dags: Mapping[str, bool]) -> Finding:
    if MAINTENANCE not in dags:
        return _unseen(MAINTENANCE)
    if not dags[MAINTENANCE]:
        return Finding(MAINTENANCE, "is on")
    turn_on(MAINTENANCE)
    return Finding(MAINTENANCE, "was paused, and is on now: it removes old personal data")


def _unseen(dag_id: str) -> Finding:
    folder = conf.get("core", "dags_folder")
    message = (
        f"Airflow has not seen this DAG yet. Its DAG file belongs into {folder} (docs/install.md has it), and the DAG "
        "processor must have run once"
    )
    return Finding(dag_id, message, is_warning=True)


def _look_at_queue() -> Finding | None:
    """Say when Airflow fails loads that wait for a worker: with several machines more are queued than are at work."""
    requeues = conf.getint("scheduler", "num_stuck_in_queued_retries", fallback=2)
    if not has_several() or requeues >= _LEAST_REQUEUES:
        return None
    minutes = round((requeues + 1) * conf.getfloat("scheduler", "task_queued_timeout") / 60)
    message = (
        f"a load that waits {minutes} minutes for a worker is failed, and its customers with it. Hint: set "
        "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES=1000 for the scheduler"
    )
    return Finding("queue", message, is_warning=True)


def _look_at_roles(instances: Iterable[InstanceConfig]) -> Finding | None:
    """Say which roles are missing: Airflow refuses a DAG whose roles do not exist."""
    own = sorted({role for one in instances for role in one.roles})
    names = [VIEWER, STARTER, *own]
    missing = missing_roles(names)
    if missing is None:
        message = (
            f"instances name the roles {', '.join(own)}, and only Airflow's FAB auth manager has roles: here "
            "they keep nobody from anything"
        )
        return Finding("roles", message, is_warning=True) if own else None
    if missing:
        message = f"not there yet: {', '.join(missing)}. Hint: {_IMPORT_ROLES}"
        return Finding("roles", message, is_warning=True)
    return Finding("roles", ", ".join(names))
