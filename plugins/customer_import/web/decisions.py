"""Reads decisions for the pages: what stands about tenants, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customer_import.decisions.rules import today
from customer_import.decisions.store import newest_number, read_history, read_standing
from customer_import.decisions.tenants import find_name, find_seen
from customer_import.vocabulary import DecisionKind, ImportType
from customer_import.web.instances import read_instances
from customer_import.web.models import DecisionState, DecisionView

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from customer_import.decisions.rules import Decision
    from customer_import.web.rights import Rights


@dataclass(frozen=True)
class DecisionPlace:
    """The list that a decision is made at.

    Attributes:
        import_type: Whose customers it shows.
        instance: Of which instance.
        barred: The imports of that instance that the user may not start: then nothing can be decided.
    """

    import_type: ImportType
    instance: str
    barred: tuple[ImportType, ...]

    @property
    def query(self) -> dict[str, Any]:
        """The query string that names it."""
        return {"dag_id": self.import_type.dag_id, "instance": self.instance}


@dataclass(frozen=True)
class Decided:
    """What was decided about one subject.

    Attributes:
        subject: Tenant id, or import type; empty for tenants that are still to be named.
        seen: The version of all this; whoever decides sends it back.
        history: Newest first.
        name: Company name as a run listed it last.
        is_seen: Whether a run of the instance has seen the tenant; of an import always.
    """

    subject: str
    seen: int
    history: tuple[DecisionView, ...] = ()
    name: str | None = None
    is_seen: bool = True

    @property
    def standing(self) -> tuple[DecisionView, ...]:
        """What stands, newest first."""
        return tuple(each for each in self.history if each.state is DecisionState.STANDS)


def find_decision_place(
    import_type: ImportType, instance: str, startable: Rights
) -> DecisionPlace | None:
    """Return where a decision is made; ``None`` when the instance does not take the import."""
    config = read_instances().taking(import_type).get(instance)
    if config is None:
        return None
    barred = tuple(kind for kind in config.import_types if not startable.cover(kind, instance))
    return DecisionPlace(import_type, instance, barred)


def read_decided(connection: Connection | None, instance: str, subject: str) -> Decided:
    """Return what was decided about a subject; nothing while there is no database."""
    if connection is None:
        return Decided(subject, 0)
    rows = read_history(connection, instance, subject) if subject else []
    seen = newest_number(connection, instance)
    name = find_name(connection, instance, subject) if subject else None
    is_import = not subject or subject in set(ImportType)
    is_seen = is_import or bool(find_seen(connection, instance, [subject]))
    return Decided(subject, seen, tuple(_with_states(rows)), name, is_seen)


def standing_of(
    connection: Connection, instance: str, tenant_ids: Collection[str]
) -> dict[str, tuple[DecisionView, ...]]:
    """Return what stands about each of some tenants, some hundreds at most."""
    found: dict[str, tuple[DecisionView, ...]] = {}
    for each in read_standing(connection, instance, tenant_ids):
        view = view_decision(each, DecisionState.STANDS)
        found[each.subject] = (*found.get(each.subject, ()), view)
    return found


def view_decision(decision: Decision, state: DecisionState) -> DecisionView:
    """Return a decision as it is shown."""
    return DecisionView(
        number=decision.id,
        decision=decision.kind,
        says=decision.says(),
        value=decision.value,
        reseller_name=decision.reseller_name,
        reason=decision.reason,
        until=decision.until,
        by=decision.by,
        at=decision.at,
        state=state,
    )


def _with_states(rows: list[Decision]) -> list[DecisionView]:
    day, seen, views = today(), set[DecisionKind](), []
    for row in rows:  # newest first
        if row.is_revoked:
            state = DecisionState.REVOCATION
        elif row.kind in seen:
            state = DecisionState.REPLACED
        else:
            state = DecisionState.STANDS if row.stands(day) else DecisionState.OVER
        seen.add(row.kind)
        views.append(view_decision(row, state))
    return views
