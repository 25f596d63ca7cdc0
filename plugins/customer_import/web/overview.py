"""Reads what the page Overview shows: of each import of each instance how it stands, without looking at a result.

Everything but the matching queue comes from one query for all imports; counts are those of the runs' summaries.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.config.instance_names import instance_titles
from customer_import.database.tables import import_runs, sent_notices
from customer_import.notices.rules import next_due, overdue
from customer_import.notices.store import WATCHED, was_sent
from customer_import.runs.renewals import SIGNED_IN
from customer_import.runs.run import as_utc
from customer_import.vocabulary import ImportType, NoticeKind, dag_id_of
from customer_import.web.airflow_internals import paused_dag_ids
from customer_import.web.charts import outcome_chart
from customer_import.web.instances import read_instances
from customer_import.web.queue import open_queue
from customer_import.web.runs import recent_imports, unrecorded_runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.config.schedules import ScheduleConfig
    from customer_import.web.charts import Chart
    from customer_import.web.instances import Instances
    from customer_import.web.models import RunView
    from customer_import.web.rights import Rights

SHOWN_RUNS = 14

_Key = tuple[ImportType, str]


@dataclass(frozen=True)
class GoodImport:
    """The last import for all customers that ended well; ``age_s`` seconds ago it began."""

    dag_id: str
    run_id: str
    started_at: datetime
    age_s: float


@dataclass(frozen=True)
class NoticeView:
    """What people were told last of a kind: when, or why it could not be sent."""

    kind: NoticeKind
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class ImportOverview:
    """How one import of an instance stands.

    Attributes:
        import_type: Whose customers.
        instance: The instance.
        title: The instance's.
        is_configured: Whether the instances file has it, and takes the import.
        good: The last good import, if there is one.
        last: The newest run for all customers, if there is one.
        unrecorded: A newer one that failed before it was recorded.
        waiting: Customers in the matching queue.
        schedule: When it runs by itself, if it does.
        next_run: UTC; ``None`` while its DAG is paused.
        is_paused: Whether the DAG of the schedule is.
        overdue_since: When it was due and did not end well since; ``None``: it is not overdue.
        chart: Outcomes of its last imports for all customers.
        notices: What was told of it, and of its instance as a whole.
    """

    import_type: ImportType
    instance: str
    title: str
    is_configured: bool
    good: GoodImport | None
    last: RunView | None
    unrecorded: RunView | None
    waiting: int
    schedule: ScheduleConfig | None
    next_run: datetime | None
    is_paused: bool
    overdue_since: datetime | None
    chart: Chart
    notices: tuple[NoticeView, ...]


def read_overview(
    connection: Connection | None,
    rights: Rights,
    instances: Instances,
    now: datetime | None = None,
) -> tuple[ImportOverview, ...]:
    """Return how each import stands that the user may read, instance by instance.

    Args:
        connection: The import's database, if there is one.
        rights: What the user may read.
        instances: Those that are configured.
        now: UTC; the present moment when left out.
    """
    now = now or datetime.now(UTC)
    recent: dict[_Key, list[RunView]] = defaultdict(list)
    good: dict[_Key, GoodImport] = {}
    told: dict[tuple[str, str], list[NoticeView]] = {}
    watched: dict[tuple[str, str], datetime] = {}
    if connection is not None:
        for run in recent_imports(connection, rights, SHOWN_RUNS):
            recent[run.import_type, run.instance or ""].append(run)
        good = _good_imports(connection, rights, now)
        told, watched = _notices(connection)
    configured = {
        (kind, name): config
        for kind in rights.types
        for name, config in instances.taking(kind).items()
    }
    # An instance that is wrong in the file has imports all the same; one that is no more in it has none to look at.
    others = (
        {key for key in recent if key[1] not in instances.by_name} if read_instances().error else ()
    )
    places = {name: place for place, name in enumerate(instances.by_name)}
    keys = sorted(
        {*configured, *others},
        key=lambda key: (places.get(key[1], len(places)), key[1], list(ImportType).index(key[0])),
    )
    scheduled = [
        dag_id_of(*key) for key in keys if key in configured and key[0] in configured[key].schedules
    ]
    paused = paused_dag_ids(scheduled) if scheduled else set()

    unrecorded: dict[_Key, RunView] = {}
    for run in unrecorded_runs(connection, rights, keys, only_imports_of_all=True):
        name = run.instance or next(iter(instance_titles(run.import_type)), "")
        unrecorded.setdefault((run.import_type, name), run)

    def stands(key: _Key) -> ImportOverview:
        kind, name = key
        config = configured.get(key)
        schedule = config.schedules.get(kind) if config else None
        last_good = good.get(key)
        is_paused = dag_id_of(kind, name) in paused
        began = last_good.started_at if last_good else None
        since = watched.get((name, kind.value), began)
        due = None
        if config and schedule and since:
            due = overdue(
                schedule, watched_since=since, last_good=began, config=config.notices, now=now
            )
        return ImportOverview(
            import_type=kind,
            instance=name,
            title=config.title if config else name,
            is_configured=config is not None,
            good=last_good,
            last=next(iter(recent[key]), None),
            unrecorded=_newer(next(iter(recent[key]), None), unrecorded.get(key)),
            waiting=open_queue(connection, kind, name).count(connection) if connection else 0,
            schedule=schedule,
            next_run=next_due(schedule, now) if schedule and not is_paused else None,
            is_paused=is_paused,
            overdue_since=due,
            chart=outcome_chart(recent[key]),
            notices=(*told.get((name, kind.value), ()), *told.get((name, ""), ())),
        )

    return tuple(map(stands, keys))


def _newer(last: RunView | None, other: RunView | None) -> RunView | None:
    """Return the other run when it began after the last one."""
    if other is None or last is None or last.started_at is None or other.started_at is None:
        return other
    return other if other.started_at > last.started_at else None


def _good_imports(connection: Connection, rights: Rights, now: datetime) -> dict[_Key, GoodImport]:
    runs = import_runs.c
    newest = (
        select(func.max(runs.id))
        .where(runs.is_complete.is_(True), rights.rows(runs))
        .group_by(runs.import_type, runs.instance)
    )
    statement = select(
        runs.import_type, runs.instance, runs.dag_id, runs.airflow_run_id, runs.started_at
    ).where(runs.id.in_(newest))
    found = {}
    for row in connection.execute(statement):
        began = as_utc(row.started_at)
        age_s = max((now - began).total_seconds(), 0)
        found[ImportType(row.import_type), row.instance] = GoodImport(
            row.dag_id, row.airflow_run_id, began, age_s
        )
    return found


def _notices(
    connection: Connection,
) -> tuple[dict[tuple[str, str], list[NoticeView]], dict[tuple[str, str], datetime]]:
    """Return what was told, and since when schedules are watched, by instance and import."""
    told: dict[tuple[str, str], list[NoticeView]] = defaultdict(list)
    watched = {}
    for row in connection.execute(select(sent_notices).order_by(sent_notices.c.sent_at.desc())):
        key, at = (row.instance, row.import_type), as_utc(row.sent_at)
        if row.kind == WATCHED:
            watched[key] = at
        elif row.kind != SIGNED_IN:
            notice = NoticeView(NoticeKind(row.kind), at if was_sent(at) else None, row.error)
            told[key].append(notice)
    return told, watched
