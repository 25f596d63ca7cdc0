"""A run: its parameters, its row in ``import_runs``, and what every task needs to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from customer_import.config.instances import InstanceConfig, load_instance
from customer_import.config.mapping import Mappings, load_mappings
from customer_import.database.engine import reading, upsert
from customer_import.database.tables import (
    audit_records_seen,
    bss_accounts,
    drift_findings,
    import_results,
    import_runs,
    known_tenants,
    reference_data,
    run_tasks,
    staged_accounts,
    staged_contacts,
    staged_customers,
    validation_findings,
    validation_results,
)
from customer_import.errors import ConfigurationError
from customer_import.runs.parameters import RunParams
from customer_import.runs.previews import find_preview
from customer_import.vocabulary import ImportType, Mode, RunState

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select

_RUN_TABLES = (
    import_results,
    drift_findings,
    validation_results,
    validation_findings,
    bss_accounts,
    staged_contacts,
    staged_accounts,
    staged_customers,
    audit_records_seen,
    reference_data,
    run_tasks,
)


_SHORTEST = timedelta(microseconds=1)


@dataclass(frozen=True)
class Run:
    """One run with its configuration, the same for every task.

    Attributes:
        key: Run key, ``import_runs.id``.
        dag_id: The DAG.
        airflow_run_id: The DAG run.
        import_type: Whose customers.
        params: As given.
        instance: Configuration of ``params.instance``.
        mappings: The mapping files.
        started_at: UTC.
        preview_key: Run key of the preview that it was started from (``previewed_run``).
    """

    key: int
    dag_id: str
    airflow_run_id: str
    import_type: ImportType
    params: RunParams
    instance: InstanceConfig
    mappings: Mappings
    started_at: datetime
    preview_key: int | None = None

    @property
    def is_preview(self) -> bool:
        """Whether the run says what an import would do."""
        return self.params.mode is Mode.PREVIEW

    @property
    def is_check(self) -> bool:
        """Whether the run looks for drift."""
        return self.params.mode is Mode.CHECK

    @property
    def writes(self) -> bool:
        """Whether the run may write to the BSS."""
        return self.params.mode is Mode.IMPORT

    @property
    def is_loading(self) -> bool:
        """Whether the run goes on to validation, transform and load (previews and checks do, without writing)."""
        return self.params.mode is not Mode.DISCOVER

    @property
    def requires_approval(self) -> bool:
        """Whether a person has to approve it before it writes; a run cannot take back what its instance asks for."""
        return self.params.require_approval or self.instance.require_approval

    @property
    def ordering_options(self) -> str | None:
        """Name of the ordering-options profile for new accounts."""
        return self.params.ordering_options or self.instance.bss.ordering_options


def record_run(
    engine: Engine,
    dag_id: str,
    airflow_run_id: str,
    import_type: ImportType,
    params: RunParams,
    started_by: str | None,
) -> int:
    """Write the run's row and return its key; a run recorded again starts afresh, its links are kept."""
    row = {
        "dag_id": dag_id,
        "airflow_run_id": airflow_run_id,
        "import_type": import_type.value,
        "instance": params.instance,
        "mode": params.mode.value,
        "state": RunState.RUNNING.value,
        "started_by": started_by,
        "params": params.model_dump(mode="json"),
        "started_at": datetime.now(UTC),
        "ended_at": None,
        "extracted": 0,
        "listed": None,
        "discovered": None,
        "batches": None,
        "scope": None,
        "scope_reason": None,
        "fingerprint": None,
        "is_complete": False,
        "vanished": None,
        "summary": None,
        "error": None,
    }
    with engine.begin() as connection:
        upsert(connection, import_runs, [row])
        key: int = connection.execute(key_of(dag_id, airflow_run_id)).scalar_one()
        for table in _RUN_TABLES:
            connection.execute(delete(table).where(table.c.run_id == key))
    return key


def begin_reading(engine: Engine, run: Run, now: datetime | None = None) -> datetime:
    """Return the moment that an extraction stamps its readings with, and store it with the run.

    It is later than all readings of the instance before it, also when a clock was ahead or has been set back. So of
    two readings the later one is known.

    Args:
        engine: The run's database.
        run: The run.
        now: UTC; the clock's by default.
    """
    name = run.params.instance
    moment = now or datetime.now(UTC)
    with engine.begin() as connection:
        for table in (import_runs, known_tenants):
            last = select(func.max(table.c.read_at)).where(table.c.instance == name)
            if (before := connection.execute(last).scalar_one()) is not None:
                moment = max(moment, as_utc(before) + _SHORTEST)
        connection.execute(
            update(import_runs).where(import_runs.c.id == run.key).values(read_at=moment)
        )
    return moment


def find_run(engine: Engine, dag_id: str, airflow_run_id: str) -> int | None:
    """Return the key of a DAG run; ``None`` when its first task did not come to write it."""
    with reading(engine) as connection:
        return connection.execute(key_of(dag_id, airflow_run_id)).scalar_one_or_none()


def earlier_runs(engine: Engine, run_key: int) -> list[tuple[str, str]]:
    """Return DAG id and Airflow run id of the runs that began before, for the same instance and import.

    Only those that are not known to have ended; whether they are still at work, Airflow knows.
    """
    this, before = import_runs.alias("this_run").c, import_runs.c
    query = (
        select(before.dag_id, before.airflow_run_id)
        .where(
            this.id == run_key,
            before.id < run_key,
            before.instance == this.instance,
            before.import_type == this.import_type,
            before.ended_at.is_(None),
        )
        .order_by(before.id)
    )
    with reading(engine) as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def key_of(dag_id: str, airflow_run_id: str) -> Select[int]:
    """Return the query for the key of a DAG run."""
    return select(import_runs.c.id).where(
        import_runs.c.dag_id == dag_id, import_runs.c.airflow_run_id == airflow_run_id
    )


def open_run(engine: Engine, run_key: int) -> Run:
    """Read a run's row and its configuration files.

    Raises:
        ConfigurationError: There is no such run, a configuration file is wrong, or the preview that the run was
            started from cannot be used.
    """
    with reading(engine) as connection:
        row = connection.execute(
            select(import_runs).where(import_runs.c.id == run_key)
        ).one_or_none()
    if row is None:
        message = f"there is no run {run_key}"
        raise ConfigurationError(
            message, source="import_runs", hint="start the DAG run again from its first task"
        )
    import_type, params = ImportType(row.import_type), RunParams.parse(row.params)
    run = Run(
        key=row.id,
        dag_id=row.dag_id,
        airflow_run_id=row.airflow_run_id,
        import_type=import_type,
        params=params,
        instance=load_instance(row.instance, import_type),
        mappings=load_mappings(),
        started_at=as_utc(row.started_at),
        preview_key=find_preview(engine, row.dag_id, params),
    )
    run.mappings.ordering_profile(run.ordering_options)
    return run


def as_utc(moment: datetime) -> datetime:
    """Return a moment read from the database as UTC; SQLite forgets the zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def record_progress(engine: Engine, run_key: int, **values: int) -> None:
    """Write progress columns of ``import_runs`` (``extracted``, ``listed``, ``discovered``, ``batches``)."""
    with engine.begin() as connection:
        connection.execute(update(import_runs).where(import_runs.c.id == run_key).values(**values))
