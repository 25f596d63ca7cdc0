"""What pages and API read from a request, checked once for both."""

# ruff: noqa: TC001 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, HTTPException, Path, Query, status
from pydantic import AfterValidator, BeforeValidator

from customer_import.text import trim
from customer_import.vocabulary import DriftKind, ImportType, Outcome, dag_of
from customer_import.web.drift import DriftFilter
from customer_import.web.models import TenantStatus
from customer_import.web.results import ResultFilter, ResultOrder
from customer_import.web.tenants import TenantFilter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.web.rights import Rights

LARGEST_KEY = 2**63 - 1


def plain(text: str) -> str:
    """Drop what no database takes in text, and the blanks around it."""
    return trim(text.replace("\0", ""))


def _blank_is_none(text: str | None) -> str | None:
    return (plain(text) or None) if text is not None else None


Search = Annotated[
    str,
    Query(max_length=200, description="Part of name or domain, or a tenant id"),
    AfterValidator(plain),
]
Inside = Annotated[
    bool,
    Query(description="Look inside words, too, although some have the text where a word begins"),
]
Name = Annotated[str, Query(max_length=250), AfterValidator(plain)]
OptionalName = Annotated[str | None, Query(max_length=250), AfterValidator(_blank_is_none)]
Cursor = Annotated[
    str | None,
    Query(max_length=2_000, description="From the page before or after"),
    AfterValidator(_blank_is_none),
]
Limit = Annotated[int, Query(ge=1, le=1_000)]
OptionalRunKey = Annotated[
    int | None, Query(ge=1, le=LARGEST_KEY), BeforeValidator(lambda text: text or None)
]
RunKey = Annotated[int, Path(ge=1, le=LARGEST_KEY)]
InstanceName = Annotated[str, Path(max_length=250), AfterValidator(plain)]
TenantId = Annotated[str, Path(max_length=64), AfterValidator(plain), AfterValidator(str.lower)]
TenantName = Annotated[str, Query(max_length=64), AfterValidator(plain), AfterValidator(str.lower)]


def result_filter(
    outcome: Outcome | None = None,
    q: Search = "",
    sort: ResultOrder | None = None,
    inside: Inside = False,  # noqa: FBT002 - a query parameter
) -> ResultFilter:
    """Read which results are wanted."""
    return ResultFilter(outcome=outcome, q=q, inside=inside, sort=sort)


def tenant_filter(
    q: Search = "",
    status: TenantStatus | None = None,
    reseller: Annotated[str, Query(max_length=50), AfterValidator(plain)] = "",
) -> TenantFilter:
    """Read which tenants are wanted."""
    return TenantFilter(q=q, status=status, reseller=reseller)


def drift_filter(kind: DriftKind | None = None, q: Search = "") -> DriftFilter:
    """Read which findings are wanted."""
    return DriftFilter(kind=kind, q=q)


ResultFilterDep = Annotated[ResultFilter, Depends(result_filter)]
DriftFilterDep = Annotated[DriftFilter, Depends(drift_filter)]
TenantFilterDep = Annotated[TenantFilter, Depends(tenant_filter)]


def of_dag(dag_id: str, rights: Rights) -> tuple[ImportType, str | None]:
    """Return the import of a DAG, and the instance whose own it is, when the user may read something of it.

    Raises:
        HTTPException: 404, as if it did not exist.
    """
    kind, instance = dag_of(dag_id) or (None, None)
    if kind not in rights.types or (instance and not rights.cover(kind, instance)):
        raise not_found()
    return kind, instance


def of_instance(import_type: ImportType, instance: str, rights: Rights) -> ImportType:
    """Return the import when the user may read it at an instance.

    Raises:
        HTTPException: 404, as if it did not exist.
    """
    if not rights.cover(import_type, instance):
        raise not_found()
    return import_type


def found(connection: Connection | None) -> Connection:
    """Return the connection.

    Raises:
        HTTPException: 404, there is no database yet, so nothing can be found in it.
    """
    if connection is None:
        raise not_found()
    return connection


def not_found() -> HTTPException:
    """Return the answer for what does not exist or may not be read; it does not say which."""
    return HTTPException(status.HTTP_404_NOT_FOUND, "There is nothing here that you may read.")
