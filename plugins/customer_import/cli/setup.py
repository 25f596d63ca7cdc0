"""Makes whatever an Airflow needs before the first import, and says what only a person can do.

It may be run as often as one likes: what is there already stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from customer_import.bss.hook import BssHook
from customer_import.cli.check import BSS, PARTNER_CENTER, check_mappings
from customer_import.cli.database import ready_engine
from customer_import.config.instances import load_each_instance
from customer_import.config.paths import instances_path
from customer_import.config.roles import STARTER, VIEWER
from customer_import.database.faults import place_of
from customer_import.errors import ConfigurationError, CustomerImportError
from customer_import.http.finding import Finding
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.pipeline.maintenance_dag import DAG_ID as MAINTENANCE
from customer_import.vocabulary import ImportType, dag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from customer_import.config.instances import InstanceConfig
    from customer_import.errors import CustomerImportError as Error

_FAB = "FabAuthManager"
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
        yield _turn_on_maintenance()
        yield _import_dags()
        if (roles := _look_at_roles(instances)) is not None:
            yield roles
    except SQLAlchemyError as error:
        message = f"Airflow's own database cannot be used from here ({type(error).__name__})"
        hint = "run 'airflow db migrate' first, and this where 'airflow dags list' works"
        yield Finding.wrong("database of Airflow", ConfigurationError(message, hint=hint))


def _turn_on_maintenance() -> Finding:
    with create_session() as session:
        dag = session.get(DagModel, MAINTENANCE)
        if dag is None:
            return _unseen(MAINTENANCE)
        if not dag.is_paused:
            return Finding(MAINTENANCE, "is on")
        dag.is_paused = False
    return Finding(MAINTENANCE, "was paused, and is on now: it removes old personal data")


def _import_dags() -> Finding:
    with create_session() as session:
        ids = session.scalars(select(DagModel.dag_id).where(DagModel.is_stale.is_(False)))
        found = sorted(name for name in ids if dag_of(name) is not None)
    if not found:
        return _unseen(ImportType.DIRECT.dag_id)
    return Finding("DAGs", ", ".join(found))


def _unseen(dag_id: str) -> Finding:
    folder = conf.get("core", "dags_folder")
    message = (
        f"Airflow has not seen this DAG yet. Its DAG file belongs into {folder} (docs/install.md has it), and the DAG "
        "processor must have run once"
    )
    return Finding(dag_id, message, is_warning=True)


def _look_at_roles(instances: Iterable[InstanceConfig]) -> Finding | None:
    """Say which roles are missing: Airflow refuses a DAG whose roles do not exist."""
    own = sorted({role for one in instances for role in one.roles})
    if not conf.get("core", "auth_manager").endswith(_FAB):
        if not own:
            return None
        message = (
            f"instances name the roles {', '.join(own)}, and only Airflow's FAB auth manager has roles: here "
            "they keep nobody from anything"
        )
        return Finding("roles", message, is_warning=True)
    from airflow.providers.fab.auth_manager.models import Role  # noqa: PLC0415 - may not be installed

    names = [VIEWER, STARTER, *own]
    with create_session() as session:
        have = set(session.scalars(select(Role.name).where(Role.name.in_(names))))
    missing = [name for name in names if name not in have]
    if missing:
        message = f"not there yet: {', '.join(missing)}. Hint: {_IMPORT_ROLES}"
        return Finding("roles", message, is_warning=True)
    return Finding("roles", ", ".join(names))
