"""The page of one customer, at an address of its own, and the search that finds it over all runs."""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from customer_import.errors import ConfigurationError
from customer_import.partner_center.models import is_guid
from customer_import.web.access import Readable, Startable
from customer_import.web.audit import Access, AuditDep
from customer_import.web.customers import Customer, read_customer
from customer_import.web.database import ConnectionDep
from customer_import.web.decisions import DecisionPlace, find_decision_place, read_decided
from customer_import.web.instances import read_instances
from customer_import.web.payloads import read_sent
from customer_import.web.rendering import render
from customer_import.web.requests import (
    LARGEST_KEY,
    Inside,
    Name,
    Search,
    TenantName,
    found,
    not_found,
)
from customer_import.web.search import Found, search_customers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.web.rights import Rights

router = APIRouter(include_in_schema=False)


@router.get("/search")
def show_search(
    rights: Readable,
    connection: ConnectionDep,
    q: Search = "",
    before: Annotated[int | None, Query(ge=1, le=LARGEST_KEY)] = None,
    inside: Inside = False,  # noqa: FBT002 - a query parameter
) -> HTMLResponse:
    """Show the customers of all runs and instances that a text means."""
    result = (
        search_customers(connection, rights, q, before, is_inside=inside)
        if connection is not None
        else Found()
    )
    return render("search.html", q=q, before=before, inside=inside, found=result)


@router.get("/tenant")
def show_tenant(
    rights: Readable,
    startable: Startable,
    connection: ConnectionDep,
    audit: AuditDep,
    instance: Name,
    tenant_id: TenantName,
) -> HTMLResponse:
    """Show what is known of one customer. One that no run has seen is shown to who may decide about it."""
    database = found(connection)
    if not is_guid(tenant_id):
        raise not_found()
    customer = read_customer(database, rights, instance, tenant_id)
    place = _place(customer, rights, startable, instance)
    if not customer.is_seen and (place is None or place.barred):
        raise not_found()
    for import_type in sorted(customer.types):
        audit(Access.LOOK, import_type, tenant_id=tenant_id)
    config = read_instances().by_name.get(instance)
    return render(
        "tenant.html",
        instance=instance,
        tenant_id=tenant_id,
        customer=customer,
        place=place,
        decided=read_decided(database, instance, tenant_id),
        instances=read_instances(),
        starts=tuple(
            each
            for each in customer.types
            if startable.cover(each, instance)
            and config is not None
            and each in config.import_types
        ),
        **_fields(database, customer),
    )


def _place(
    customer: Customer,
    rights: Rights,
    startable: Rights,
    instance: str,
) -> DecisionPlace | None:
    """Return where it is decided about: the first import of the customer that the instance takes."""
    for import_type in customer.types or rights.types:
        if not rights.cover(import_type, instance):
            continue
        place = find_decision_place(import_type, instance, startable)
        if place is not None:
            return place
    return None


def _fields(connection: Connection, customer: Customer) -> dict[str, Any]:
    """Return the mapped fields of the newest run whose values are kept."""
    entry = customer.of_values
    if entry is None:
        return {"entry": None, "sent": (), "sent_error": None}
    try:
        sent = read_sent(connection, entry.import_type, entry.result)
    except ConfigurationError as error:
        return {"entry": entry, "sent": (), "sent_error": str(error)}
    return {"entry": entry, "sent": sent, "sent_error": None}
