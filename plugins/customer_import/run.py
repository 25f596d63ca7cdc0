"""A run: its parameters, its row in ``import_runs``, and what every stage needs to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from sqlalchemy import delete, select, update

from customer_import.config import InstanceConfig, Mappings, load_instance, load_mappings
from customer_import.config.files import FrozenModel
from customer_import.errors import ConfigurationError
from customer_import.staging.engine import reading, upsert
from customer_import.staging.tables import (
    bss_accounts,
    import_results,
    import_runs,
    reference_data,
    staged_accounts,
    staged_contacts,
    staged_customers,
    validation_findings,
    validation_results,
)
from customer_import.words import ImportType, Mode, OnExisting, RunState, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine, Select

_RUN_TABLES = (
    import_results,
    validation_results,
    validation_findings,
    bss_accounts,
    staged_contacts,
    staged_accounts,
    staged_customers,
    reference_data,
)


def _normalise_names(value: object) -> object:
    """Accept a list, or text with one name a line or separated by commas; lower-case, blank-free, without repeats."""
    if value is None:
        return ()
    parts = value.replace(",", "\n").splitlines() if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    return tuple(dict.fromkeys(part.strip().lower() for part in map(str, parts) if part.strip()))


def _blank_is_none(value: object) -> object:
    return value.strip() or None if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_normalise_names)]
OptionalStr = Annotated[str | None, BeforeValidator(_blank_is_none)]


class RunParams(FrozenModel):
    """The parameters of one run, as given in the trigger form.

    Attributes:
        instance: Key of ``instances.yaml``.
        tenants: Tenant ids or primary domains, lower-cased; empty means all.
        exclude_tenants: The same, left out.
        mode: How far the run goes.
        scope: Which customers it reads from Partner Center.
        on_existing: What to do with linked customers that changed.
        responsible_user: BSS user name; overrides the instance's.
        permission_rule: BSS permission rule by name; overrides the instance's.
        ordering_options: Profile name; overrides the instance's.
        reseller_mpn_ids: Indirect import: only these resellers' customers; empty means all.
        max_rejected_percent: More than this and the run stops before the load.
    """

    instance: Annotated[str, Field(min_length=1)]
    tenants: Names = ()
    exclude_tenants: Names = ()
    mode: Mode = Mode.IMPORT
    scope: Scope = Scope.FULL
    on_existing: OnExisting = OnExisting.UPDATE
    responsible_user: OptionalStr = None
    permission_rule: OptionalStr = None
    ordering_options: OptionalStr = None
    reseller_mpn_ids: Names = ()
    max_rejected_percent: Annotated[float, Field(ge=0, le=100)] = 20.0

    @property
    def is_selective(self) -> bool:
        """Whether the run was started for some tenants or resellers only."""
        return bool(self.tenants or self.exclude_tenants or self.reseller_mpn_ids)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> RunParams:
        """Read the parameters of a DAG run.

        Raises:
            ConfigurationError: A parameter is unknown or wrong; names it.
        """
        try:
            return cls.model_validate(dict(raw))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise ConfigurationError(
                fault["msg"],
                source="run parameters",
                path=where,
                mend="correct it in the trigger form",
            ) from error


@dataclass(frozen=True)
class Run:
    """One run with its configuration, the same for every stage.

    Attributes:
        id: Run key, ``import_runs.id``.
        dag_id: The DAG.
        airflow_run_id: The DAG run.
        import_type: Whose customers.
        params: As given.
        instance: Configuration of ``params.instance``.
        mappings: The mapping files.
        started_at: UTC.
    """

    id: int
    dag_id: str
    airflow_run_id: str
    import_type: ImportType
    params: RunParams
    instance: InstanceConfig
    mappings: Mappings
    started_at: datetime

    @property
    def is_preview(self) -> bool:
        """Whether the run only reads."""
        return self.params.mode is Mode.PREVIEW

    @property
    def is_loading(self) -> bool:
        """Whether the run goes on to validation, transform and load (a preview does, without writing)."""
        return self.params.mode in {Mode.IMPORT, Mode.PREVIEW}

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
        key: int = connection.execute(_key_of(dag_id, airflow_run_id)).scalar_one()
        for table in _RUN_TABLES:
            connection.execute(delete(table).where(table.c.run_id == key))
    return key


def find_run(engine: Engine, dag_id: str, airflow_run_id: str) -> int | None:
    """Return the key of a DAG run; ``None`` when its first task did not come to write it."""
    with reading(engine) as connection:
        return connection.execute(_key_of(dag_id, airflow_run_id)).scalar_one_or_none()


def _key_of(dag_id: str, airflow_run_id: str) -> Select[int]:
    return select(import_runs.c.id).where(
        import_runs.c.dag_id == dag_id, import_runs.c.airflow_run_id == airflow_run_id
    )


def begin_run(
    engine: Engine,
    dag_id: str,
    airflow_run_id: str,
    import_type: ImportType,
    params: RunParams,
    started_by: str | None,
) -> Run:
    """Record a run and open it; raises as ``open_run`` does."""
    key = record_run(engine, dag_id, airflow_run_id, import_type, params, started_by)
    return open_run(engine, key)


def open_run(engine: Engine, run_id: int) -> Run:
    """Read a run's row and its configuration files.

    Raises:
        ConfigurationError: There is no such run, or a configuration file is wrong.
    """
    with reading(engine) as connection:
        row = connection.execute(
            select(import_runs).where(import_runs.c.id == run_id)
        ).one_or_none()
    if row is None:
        message = f"there is no run {run_id}"
        raise ConfigurationError(
            message, source="import_runs", mend="start the DAG run again from its first task"
        )
    import_type = ImportType(row.import_type)
    run = Run(
        id=row.id,
        dag_id=row.dag_id,
        airflow_run_id=row.airflow_run_id,
        import_type=import_type,
        params=RunParams.parse(row.params),
        instance=load_instance(row.instance, import_type),
        mappings=load_mappings(),
        started_at=as_utc(row.started_at),
    )
    run.mappings.ordering_profile(run.ordering_options)
    return run


def as_utc(moment: datetime) -> datetime:
    """Return a moment read from the database as UTC; SQLite forgets the zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def record_progress(engine: Engine, run_id: int, **values: int) -> None:
    """Write progress columns of ``import_runs`` (``extracted``, ``listed``, ``discovered``, ``batches``)."""
    with engine.begin() as connection:
        connection.execute(update(import_runs).where(import_runs.c.id == run_id).values(**values))


def put_reference(engine: Engine, run_id: int, name: str, body: object) -> None:
    """Store one piece of reference data of a run as JSON, replacing an earlier one."""
    with engine.begin() as connection:
        upsert(connection, reference_data, [{"run_id": run_id, "name": name, "body": body}])


def get_reference(engine: Engine, run_id: int, name: str) -> Any:  # noqa: ANN401 - JSON of the caller's shape
    """Return a piece of reference data of a run, or ``None``."""
    with reading(engine) as connection:
        return connection.execute(
            select(reference_data.c.body).where(
                reference_data.c.run_id == run_id, reference_data.c.name == name
            )
        ).scalar_one_or_none()


def record_error(engine: Engine, run_id: int, error: str) -> None:
    """Store in words why a task of the run failed; it counts only when that task did not succeed later."""
    with engine.begin() as connection:
        connection.execute(
            update(import_runs).where(import_runs.c.id == run_id).values(error=error)
        )
