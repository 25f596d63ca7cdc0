"""Shows decisions and takes new ones: the only routes of the pages that change anything.

Who may start the imports that a decision concerns may decide. A browser's request has to come from these pages.
"""

# ruff: noqa: TC001, TC002, TC003 - FastAPI reads the annotations at run time
from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Depends, HTTPException, status
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, Field, ValidationError
from sqlalchemy import Engine

from customer_import.config.files import FrozenModel
from customer_import.config.messages import WrongValueError, explain
from customer_import.database.engine import reading
from customer_import.decisions.entry import MOST_ACCOUNT, Entry, Reason
from customer_import.decisions.rules import today
from customer_import.decisions.store import (
    Author,
    OvertakenError,
    RefusedDecisionError,
    decide,
    revoke,
)
from customer_import.decisions.tenants import find_seen, was_discovered
from customer_import.partner_center.models import is_guid
from customer_import.text import trim
from customer_import.vocabulary import DecisionKind
from customer_import.web.access import Readable, Startable, from_these_pages
from customer_import.web.airflow_internals import GetUserDep
from customer_import.web.audit import Access, AuditDep
from customer_import.web.database import ConnectionDep, EngineDep
from customer_import.web.decisions import DecisionPlace, find_decision_place, read_decided
from customer_import.web.rendering import render
from customer_import.web.requests import (
    LARGEST_KEY,
    Name,
    TenantName,
    not_found,
    of_dag,
    of_instance,
)
from customer_import.web.results import MOST_STARTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from customer_import.decisions.rules import Proposal
    from customer_import.decisions.store import Changes

router = APIRouter(include_in_schema=False)
ModelT = TypeVar("ModelT", bound=FrozenModel)

_TOLD = 50
"""So many tenants of one request are named in the audit log; the table of decisions has all."""


def _not_too_many(named: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(named) > MOST_STARTED:
        message = f"{len(named):,} are more than the {MOST_STARTED:,} of one decision"
        raise WrongValueError(message, "select fewer")
    return named


Seen = Annotated[int, Field(ge=0, le=LARGEST_KEY)]
Tenant = Annotated[str, AfterValidator(lambda text: trim(text).lower()), Field(max_length=64)]


class _About(FrozenModel):
    """Whom a request is about.

    Attributes:
        tenant_ids: Tenants; none for ``empty``.
        seen: The version that the person saw.
    """

    tenant_ids: Annotated[tuple[Tenant, ...], AfterValidator(_not_too_many)] = ()
    seen: Seen


class _Decide(_About, Entry):
    """What is decided about whom."""


class _Revoke(_About):
    """Which decisions no longer stand, and why."""

    decision: DecisionKind
    reason: Reason = None


class _LinkOf(FrozenModel):
    """Which account a tenant is."""

    tenant_id: Tenant
    account: Annotated[int, Field(ge=1, le=MOST_ACCOUNT)]


class _Links(FrozenModel):
    """Which accounts several tenants are, each its own."""

    links: Annotated[tuple[_LinkOf, ...], Field(min_length=1), AfterValidator(_not_too_many)]
    reason: Reason = None
    until: date | None = None
    seen: Seen


def _place(rights: Readable, startable: Startable, dag_id: Name, instance: Name) -> DecisionPlace:
    import_type = of_instance(of_dag(dag_id, rights)[0], instance, rights)
    place = find_decision_place(import_type, instance, startable)
    if place is None:
        raise not_found()
    return place


def _place_to_decide(place: Annotated[DecisionPlace, Depends(_place)]) -> DecisionPlace:
    """Return the place when the user may decide there.

    Raises:
        HTTPException: 403, names the DAGs that the user may not start.
    """
    if place.barred:
        dags = ", ".join(kind.dag_id for kind in place.barred)
        detail = f"You may not start {dags}, which a decision about this instance concerns."
        raise HTTPException(status.HTTP_403_FORBIDDEN, detail)
    return place


PlaceDep = Annotated[DecisionPlace, Depends(_place)]
DecidingPlaceDep = Annotated[DecisionPlace, Depends(_place_to_decide)]
JsonBody = Annotated[dict[str, Any], Body()]


@router.get("/decisions")
def show_decisions(
    place: PlaceDep, connection: ConnectionDep, tenant_id: TenantName = "", about: Name = ""
) -> HTMLResponse:
    """Show what was decided about a tenant, or the import; without either the form for those that are selected.

    Who may not decide sees customers of the list's import only.
    """
    is_foreign = bool(tenant_id and place.barred) and not (
        connection is not None
        and was_discovered(connection, place.instance, place.import_type, tenant_id)
    )
    if is_foreign:
        raise not_found()
    subject = place.import_type.value if about == "import" else tenant_id
    decided = read_decided(connection, place.instance, subject)
    return render("_decisions_dialog.html", place=place, decided=decided, is_queue=about == "queue")


@router.post("/decisions", dependencies=[Depends(from_these_pages)])
def make_decision(
    place: DecidingPlaceDep,
    engine: EngineDep,
    user: GetUserDep,
    audit: AuditDep,
    body: JsonBody,
) -> dict[str, int]:
    """Decide about one tenant or many, all or nothing.

    Returns:
        How many decisions are new (``made``), how many stood already (``same``), and how many of the tenants no run of
            the instance has seen (``unseen``).
    """
    wanted = _read(body, _Decide)
    _later(wanted.until)
    proposals = [wanted.proposal(place.instance, each) for each in _subjects(place, wanted)]
    return _decide_all(wanted, proposals, place, engine, Author(user.get_name()), audit)


@router.post("/decisions/links", dependencies=[Depends(from_these_pages)])
def make_links(
    place: DecidingPlaceDep,
    engine: EngineDep,
    user: GetUserDep,
    audit: AuditDep,
    body: JsonBody,
) -> dict[str, int]:
    """Decide which BSS account each of several tenants is, all or nothing; say how many are new, and stood already."""
    wanted = _read(body, _Links)
    told = _Decide(
        decision=DecisionKind.LINK,
        account=wanted.links[0].account,  # each has its own; this one stands for them
        tenant_ids=tuple(each.tenant_id for each in wanted.links),
        reason=wanted.reason,
        until=_later(wanted.until),
        seen=wanted.seen,
    )
    _subjects(place, told)
    proposals = [
        told.model_copy(update={"account": each.account}).proposal(place.instance, each.tenant_id)
        for each in wanted.links
    ]
    return _decide_all(told, proposals, place, engine, Author(user.get_name()), audit)


@router.post("/decisions/revoke", dependencies=[Depends(from_these_pages)])
def revoke_decision(
    place: DecidingPlaceDep,
    engine: EngineDep,
    user: GetUserDep,
    audit: AuditDep,
    body: JsonBody,
) -> dict[str, int]:
    """Revoke what stands of a kind about one tenant or many; say how many decisions that were."""
    wanted = _read(body, _Revoke)
    changes = _change(
        lambda database: revoke(
            database,
            place.instance,
            _subjects(place, wanted),
            wanted.decision,
            Author(user.get_name()),
            reason=wanted.reason,
            seen=wanted.seen,
            before_commit=lambda: _tell(audit, Access.REVOKE, place, wanted),
        ),
        engine,
    )
    return {"revoked": changes.revoked}


def _decide_all(
    wanted: _Decide,
    proposals: Sequence[Proposal],
    place: DecisionPlace,
    engine: Engine | None,
    author: Author,
    audit: Callable[..., None],
) -> dict[str, int]:
    """Record decisions, all or nothing; say how many are new, stood already, and are about tenants that no run saw."""
    changes = _change(
        lambda database: decide(
            database,
            proposals,
            author,
            seen=wanted.seen,
            before_commit=lambda: _tell(audit, Access.DECIDE, place, wanted),
        ),
        engine,
    )
    unseen = _count_unseen(place, wanted, engine)
    return {"made": changes.made, "same": changes.same, "unseen": unseen}


def _later(until: date | None) -> date | None:
    """Return a last day that is not past.

    Raises:
        HTTPException: 422, it is.
    """
    if until is not None and until < today():
        detail = "the last day is past; choose a later one, or none"
        raise _unusable(detail)
    return until


def _read(body: dict[str, Any], model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        fault = explain(error, model)[0]
    where = f"{fault.path[-1]}: " if fault.path else ""
    detail = f"{where}{fault.message}; {fault.hint}"
    raise _unusable(detail)


def _subjects(place: DecisionPlace, wanted: _Decide | _Revoke) -> tuple[str, ...]:
    """Return what a decision is about.

    Raises:
        HTTPException: 422, it is about nobody, about something that is no tenant, or about another list's import.
    """
    if wanted.decision is DecisionKind.EMPTY:
        if isinstance(wanted, _Decide) and wanted.import_type is not place.import_type:
            detail = (
                f"the list is of the {place.import_type} import; decide about another one there"
            )
            raise _unusable(detail)
        return (place.import_type.value,)
    if not wanted.tenant_ids:
        detail = "no tenant is named"
        raise _unusable(detail)
    if wrong := next((each for each in wanted.tenant_ids if not is_guid(each)), None):
        detail = f"{wrong!r} is not a tenant id"
        raise _unusable(detail)
    return tuple(dict.fromkeys(wanted.tenant_ids))


def _count_unseen(place: DecisionPlace, wanted: _Decide, engine: Engine | None) -> int:
    if wanted.decision is DecisionKind.EMPTY or engine is None:
        return 0
    named = set(wanted.tenant_ids)
    with reading(engine) as connection:
        return len(named - find_seen(connection, place.instance, named))


def _change(change: Callable[[Engine], Changes], engine: Engine | None) -> Changes:
    """Carry out a change.

    Raises:
        HTTPException: 409, somebody else decided meanwhile, or it contradicts what stands; 404, there is no database.
    """
    if engine is None:
        raise not_found()
    try:
        return change(engine)
    except (OvertakenError, RefusedDecisionError) as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error


def _tell(
    audit: Callable[..., None], access: Access, place: DecisionPlace, wanted: _Decide | _Revoke
) -> None:
    audit(
        access,
        place.import_type,
        instance=place.instance,
        decision=wanted.decision.value,
        tenants=str(len(wanted.tenant_ids)),
        tenant_ids=" ".join(wanted.tenant_ids[:_TOLD]),
    )


def _unusable(detail: str) -> HTTPException:
    return HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, detail)
