"""Remembers what people were told, so that nobody is told twice and what goes on is told again only after a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, delete, select, update

from customer_import.database.engine import insert_missing, reading
from customer_import.database.tables import import_runs, sent_notices
from customer_import.runs.renewals import last_renewal
from customer_import.runs.run import as_utc
from customer_import.vocabulary import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Engine

    from customer_import.notices.rules import Notice

_sent = sent_notices.c
_LONG_AGO = datetime.fromtimestamp(0, UTC)
WATCHED = "watched"
"""In the place of a kind: since when a schedule is watched."""


class Lost(NamedTuple):
    """A notice that reached nobody: the run that it was about, and its kind."""

    run_key: int
    dag_id: str
    airflow_run_id: str
    kind: NoticeKind


def claim(
    engine: Engine, instance: str, notice: Notice, repeat_after: timedelta, now: datetime
) -> bool:
    """Tell whether a notice is to be sent now, and remember that it is: no other task sends it then.

    New customers are told with every run; anything else again only after ``repeat_after``, and what reached nobody at
    once.
    """
    key = {"instance": instance, "import_type": notice.import_type, "kind": notice.kind.value}
    row = key | {"sent_at": now, "run_id": notice.run_key, "error": None}
    is_other_run = _sent.run_id.is_distinct_from(notice.run_key)
    is_again = (
        is_other_run
        if notice.kind is NoticeKind.NEW_CUSTOMERS
        else and_(is_other_run | _sent.run_id.is_(None), _sent.sent_at <= now - repeat_after)
    )
    with engine.begin() as connection:
        if insert_missing(connection, sent_notices, [row]):
            return True
        again = update(sent_notices).where(*_same(key), is_again | (_sent.sent_at == _LONG_AGO))
        return connection.execute(again.values(row)).rowcount == 1


def fail(engine: Engine, instance: str, notice: Notice, error: str, *, is_lost: bool) -> None:
    """Remember that a notice could not be sent; when it reached nobody, it is sent again soon."""
    key = {"instance": instance, "import_type": notice.import_type, "kind": notice.kind.value}
    values: dict[str, object] = {"error": error}
    if is_lost:
        values["sent_at"] = _LONG_AGO
    with engine.begin() as connection:
        connection.execute(update(sent_notices).where(*_same(key)).values(values))


def forget(engine: Engine, instance: str, import_type: str, kind: NoticeKind) -> None:
    """Note that it is so no more: the next time people are told at once."""
    key = {"instance": instance, "import_type": import_type, "kind": kind.value}
    with engine.begin() as connection:
        connection.execute(delete(sent_notices).where(*_same(key)))


def lost(engine: Engine, instance: str) -> list[Lost]:
    """Return the notices of an instance's runs that reached nobody."""
    runs = import_runs.c
    query = (
        select(runs.id, runs.dag_id, runs.airflow_run_id, _sent.kind)
        .join(import_runs, runs.id == _sent.run_id)
        .where(_sent.instance == instance, _sent.sent_at == _LONG_AGO)
        .order_by(runs.id, _sent.kind)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [Lost(row.id, row.dag_id, row.airflow_run_id, NoticeKind(row.kind)) for row in rows]


def was_sent(sent_at: datetime) -> bool:
    """Whether a row of ``sent_notices`` was sent to anybody; one that reached nobody is sent again."""
    return sent_at != _LONG_AGO


def watched_since(engine: Engine, instance: str, import_type: str, now: datetime) -> datetime:
    """Return since when the schedule of an import is watched; from now on when it was not yet."""
    key = {"instance": instance, "import_type": import_type, "kind": WATCHED}
    with engine.begin() as connection:
        insert_missing(connection, sent_notices, [key | {"sent_at": now}])
        found = connection.execute(select(_sent.sent_at).where(*_same(key))).scalar_one()
    return as_utc(found)


def forget_unscheduled(engine: Engine, instance: str, scheduled: Collection[str]) -> None:
    """Forget since when schedules are watched that an instance has no more: one that comes back owes nothing.

    Args:
        engine: The import's database.
        instance: Key of ``instances.yaml``.
        scheduled: The import types that it has schedules of.
    """
    is_away = (
        _sent.instance == instance,
        _sent.kind.in_((WATCHED, NoticeKind.OVERDUE.value)),
        _sent.import_type.not_in(scheduled),
    )
    with engine.begin() as connection:
        connection.execute(delete(sent_notices).where(*is_away))


def last_good_import(engine: Engine, instance: str, import_type: str) -> datetime | None:
    """Return when the last import for all customers that ended well began; one for some does not make up for it."""
    runs = import_runs.c
    query = (
        select(runs.started_at)
        .where(
            runs.instance == instance,
            runs.import_type == import_type,
            runs.is_complete.is_(True),
        )
        .order_by(runs.id.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        found = connection.execute(query).scalar_one_or_none()
    return as_utc(found) if found is not None else None


def last_sign_in(engine: Engine, instance: str) -> datetime | None:
    """Return when the refresh token was renewed last, at most a day too late: a run signed in, or a person did."""
    runs = import_runs.c
    query = (
        select(runs.started_at)
        .where(runs.instance == instance, runs.listed.is_not(None))
        .order_by(runs.id.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        found = connection.execute(query).scalar_one_or_none()
    moments = (as_utc(found) if found is not None else None, last_renewal(engine, instance))
    return max((moment for moment in moments if moment is not None), default=None)


def _same(key: dict[str, str]) -> list[ColumnElement[bool]]:
    return [_sent[name] == value for name, value in key.items()]
