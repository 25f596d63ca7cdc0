"""The list of Microsoft tenants together with what Airflow is doing to it: shared by the page and the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException, status

from customer_import.config.instance_names import instance_titles
from customer_import.vocabulary import Mode, dag_id_of
from customer_import.web.airflow_internals import active_dag_runs
from customer_import.web.models import Page, StartRequest
from customer_import.web.results import MOST_STARTED
from customer_import.web.tenants import (
    Cover,
    Hierarchy,
    active_covers,
    latest_hierarchy,
    list_resellers,
    read_tenants,
    selectable_tenants,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from customer_import.vocabulary import ImportType
    from customer_import.web.models import ResellerView, TenantView
    from customer_import.web.rights import Rights
    from customer_import.web.tenants import TenantFilter


@dataclass(frozen=True)
class TenantList:
    """The latest hierarchy of an instance and import type, with the runs that cover its tenants now."""

    connection: Connection
    hierarchy: Hierarchy
    covers: tuple[Cover, ...]

    def page(self, wanted: TenantFilter, cursor: str | None, limit: int) -> Page[TenantView]:
        """Return one page of tenants, by name.

        Raises:
            CursorError: The cursor is of another list.
        """
        return read_tenants(self.connection, self.hierarchy, self.covers, wanted, cursor, limit)

    def resellers(self, first: int, limit: int) -> list[ResellerView]:
        """Return resellers with the number of their end customers, by name."""
        return list_resellers(self.connection, self.hierarchy, first=first, limit=limit)

    def start_request(self, wanted: TenantFilter, startable: Rights) -> StartRequest:
        """Return what imports every matching tenant that may be selected."""
        ids = selectable_tenants(self.connection, self.hierarchy, self.covers, wanted)
        conf = {"instance": self.hierarchy.instance, "mode": Mode.IMPORT.value}
        dag_id = startable.dag_id(self.hierarchy.import_type, self.hierarchy.instance)
        return start_request(dag_id, ids, conf)


def open_tenant_list(
    connection: Connection | None,
    import_type: ImportType,
    instance: str,
    readable: Rights,
) -> TenantList | None:
    """Return the latest hierarchy, or ``None`` when no run has listed the tenants yet.

    Args:
        connection: The import's database, if there is one.
        import_type: Whose customers; the user may read it.
        instance: The instance.
        readable: What the user may read: what others did to a tenant is not shown.
    """
    if connection is None:
        return None
    hierarchy = latest_hierarchy(connection, import_type, instance, readable)
    if hierarchy is None:
        return None
    default = next(iter(instance_titles(import_type)), None)
    dag_ids = (dag_id_of(import_type), dag_id_of(import_type, instance))
    covers = active_covers(connection, active_dag_runs(dag_ids), instance, default)
    return TenantList(connection, hierarchy, tuple(covers))


def start_request(dag_id: str, tenants: list[str], params: Mapping[str, object]) -> StartRequest:
    """Return the request that starts an import of some tenants, as many as one run can be asked for.

    Raises:
        HTTPException: 404, there are none: without a name a run would import everybody.
    """
    if not tenants:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is nobody here to be imported.")
    named = tenants[:MOST_STARTED]
    conf = {name: value for name, value in params.items() if value not in (None, [], "")}
    return StartRequest(
        dag_id=dag_id,
        count=len(named),
        is_cut=len(tenants) > len(named),
        conf={**conf, "tenants": named},
    )
