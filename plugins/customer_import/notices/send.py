"""Sends notices by Airflow's notifiers; one that cannot be sent fails nothing, and is said."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import BaseNotifier, get_current_context
from sqlalchemy import exists, select

from customer_import.config.instances import load_instance
from customer_import.config.notices import PLACES
from customer_import.database.engine import reading
from customer_import.database.tables import import_runs
from customer_import.errors import ConfigurationError
from customer_import.notices import store
from customer_import.notices.rules import of_run
from customer_import.runs.parameters import RunParams
from customer_import.tasks.finish.summary import Summary
from customer_import.vocabulary import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlalchemy import Engine

    from customer_import.config.notices import NoticesConfig, NotifierConfig
    from customer_import.notices.rules import Notice
    from customer_import.vocabulary import NoticeKind

log = logging.getLogger(__name__)


def tell_of_run(engine: Engine, run_key: int, link: str) -> None:
    """Tell people what an ended run came to, as far as its instance says so.

    Args:
        engine: The import's database.
        run_key: ``import_runs.id``.
        link: Where the run's results are.
    """
    if worth := _worth(engine, run_key, link):
        settle(engine, worth.instance, worth.import_type, worth.found, worth.config)


def tell_again(engine: Engine, instances: Collection[str], link: Callable[[str, str], str]) -> None:
    """Tell people what they would have been told by runs, had it reached anybody.

    Args:
        engine: The import's database.
        instances: Whose runs.
        link: Returns where the results of a run are, by DAG id and Airflow's run id.
    """
    for instance in instances:
        for lost in store.lost(engine, instance):
            worth = _worth(engine, lost.run_key, link(lost.dag_id, lost.airflow_run_id))
            if worth is not None and (notice := worth.found.get(lost.kind)):
                settle(engine, instance, worth.import_type, {lost.kind: notice}, worth.config)


class _Worth(NamedTuple):
    """What a run's end is worth, and who is told of it."""

    instance: str
    import_type: str
    found: dict[NoticeKind, Notice | None]
    config: NoticesConfig


def _worth(engine: Engine, run_key: int, link: str) -> _Worth | None:
    """Return what is to be told of a run.

    One that is closed again when a later import of all customers has ended well tells nothing: it is no news any more.
    """
    with reading(engine) as connection:
        this, later = import_runs.alias("this_run").c, import_runs.c
        has_later = exists().where(
            later.instance == this.instance,
            later.import_type == this.import_type,
            later.mode == Mode.IMPORT.value,
            later.started_at > this.started_at,
            later.is_complete.is_(True),
        )
        query = select(this.instance, this.params, this.summary, has_later)
        row = connection.execute(query.where(this.id == run_key)).one()
        name, params, stored, is_outdated = row
    if is_outdated:
        log.info("A later import of all customers has ended well: nobody is told of this run")
        return None
    try:
        instance = load_instance(name)
    except ConfigurationError as error:
        log.warning("Nobody is told of this run: %s", error)
        return None
    if instance.notices is None or stored is None:
        return None
    summary = Summary(**stored)
    is_for_all = not RunParams.parse(params).is_selective
    found = of_run(summary, instance.title, instance.notices, link, is_for_all=is_for_all)
    return _Worth(name, summary.import_type, found, instance.notices)


def settle(
    engine: Engine,
    instance: str,
    import_type: str,
    found: Mapping[NoticeKind, Notice | None],
    config: NoticesConfig,
    now: datetime | None = None,
) -> None:
    """Send what is to be told now, and forget what is so no more.

    Args:
        engine: The import's database.
        instance: Key of ``instances.yaml``.
        import_type: Whose import; empty for the instance as a whole.
        found: Notice by kind; ``None`` where there is nothing (any more).
        config: By what, and how often.
        now: UTC; the present moment when left out.
    """
    now = now or datetime.now(UTC)
    repeat_after = timedelta(hours=config.repeat_after_hours)
    for kind, notice in found.items():
        if notice is None:
            store.forget(engine, instance, import_type, kind)
            continue
        if store.claim(engine, instance, notice, repeat_after, now):
            # Claimed first: a task that is killed here and run again tells nobody twice.
            faults = [fault for by in config.by if (fault := _send(notice, by))]
            if faults:
                is_lost = len(faults) == len(config.by)
                store.fail(engine, instance, notice, "; ".join(faults), is_lost=is_lost)


def _send(notice: Notice, by: NotifierConfig) -> str | None:
    """Send a notice by one notifier; return why it could not be sent."""
    name = by.notifier.rpartition(".")[2]
    try:
        notifier = resolve_name(by.notifier)
        if not (isinstance(notifier, type) and issubclass(notifier, BaseNotifier)):
            return _said(notice, f"{by.notifier} is no notifier of Airflow's")
        notifier(**_filled(by.options, notice))(get_current_context())
    except Exception as error:  # noqa: BLE001 - whatever a provider raises: no run fails by it
        # Not the error's own words: those of a mail server may name people.
        return _said(notice, f"{name}: {type(error).__name__}")
    log.info("Told by %s: %s", name, notice.title)
    return None


def _said(notice: Notice, fault: str) -> str:
    log.warning(
        "The notice %r could not be sent: %s. See notices in instances.yaml", notice.title, fault
    )
    return fault


def _filled(options: Any, notice: Notice) -> Any:  # noqa: ANN401 - YAML of any shape
    match options:
        case str():
            for place in PLACES:
                options = options.replace(f"{{{place}}}", getattr(notice, place))
            return options
        case dict():
            return {name: _filled(value, notice) for name, value in options.items()}
        case list():
            return [_filled(value, notice) for value in options]
    return options
