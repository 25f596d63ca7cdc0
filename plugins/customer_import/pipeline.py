"""The task graph that the three DAGs share.

    start_run -> extract_customers -> validate_customers -> transform_customers -> load_customers (per batch) -> finish_run

Tasks pass on the run key and counts, never customers: those are in the staging tables. Every task may be killed at any
moment and run again. This module is imported at every parse, so the library's heavy parts are imported inside the tasks.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    get_current_context,
    task,
)

from customer_import.errors import (
    AuthenticationError,
    ConfigurationError,
    ConservationError,
    CustomerImportError,
    DataQualityError,
    ThrottledError,
)
from customer_import.params import import_params
from customer_import.words import ImportType, Mode, RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from customer_import.run import Run

POOL = "partner_center"
"""Airflow pool with one slot: Partner Center limits requests per partner tenant, so two extractions gain nothing."""

TAGS = ("customer-import", "partner-center", "bss")
OWNER = "customer-import"
MAX_ACTIVE_LOADS = 4

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=AuthenticationError, action=RetryAction.FAIL, reason="credentials or consent were refused"),
        RetryRule(exception=ConfigurationError, action=RetryAction.FAIL, reason="a person must mend the configuration"),
        RetryRule(exception=DataQualityError, action=RetryAction.FAIL, reason="the run looks wrong as a whole"),
        RetryRule(exception=ConservationError, action=RetryAction.FAIL, reason="the outcomes do not add up"),
        RetryRule(
            exception=ThrottledError,
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=2),
            reason="the API's rate limit was hit",
        ),
    ]
)
_SHORT = {"retries": 2, "retry_delay": timedelta(seconds=20), "execution_timeout": timedelta(minutes=15)}
_LONG = {"retries": 3, "retry_delay": timedelta(seconds=30), "execution_timeout": timedelta(hours=4)}


def build_import_dag(import_type: ImportType, *, doc_md: str, schedule: str | None = None) -> DAG:
    """Build the DAG of one import type.

    Args:
        import_type: Whose customers it imports; decides DAG id, parameters and classification.
        doc_md: Shown in the Airflow UI.
        schedule: Cron expression or preset; ``None`` for runs by hand only.
    """
    dag = DAG(
        dag_id=import_type.dag_id,
        dag_display_name=f"Import {import_type.value.replace('_', ' ')} customers",
        description=f"Partner Center customers ({import_type.value.replace('_', ' ')}) into interworks.cloud BSS",
        doc_md=doc_md,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=[*TAGS, import_type.value],
        params={name: Param(**spec) for name, spec in import_params(import_type).items()},
        default_args={"owner": OWNER, "retry_policy": RETRY_POLICY},
    )
    with dag:
        run_key = start_run(import_type.value)
        extracted = extract_customers(run_key)
        validated = validate_customers(run_key)
        batches = transform_customers(run_key)
        loaded = load_customers.partial(run_key=run_key).expand(batch=batches)
        finish = finish_run.override(outlets=[_written_alias(import_type)])(import_type.value)
        extracted >> validated >> batches
        loaded >> finish
    return dag


def written_asset(import_type: ImportType) -> Asset:
    """Return the asset that is updated when a run of this import type wrote to the BSS."""
    return Asset(name=f"bss_{import_type.value}_customers", uri=f"customer-import://bss/{import_type.value}")


def _written_alias(import_type: ImportType) -> AssetAlias:
    """An alias, because an outlet asset would be updated by every successful run, also by one that wrote nothing."""
    return AssetAlias(name=f"bss_{import_type.value}_customers_written")


@task(**_SHORT)
def start_run(import_type: str) -> int:
    """Check configuration and credentials, migrate the database, look up the organisation, write the run's row."""
    from customer_import.run import RunParams, begin_run  # noqa: PLC0415
    from customer_import.staging.engine import open_engine  # noqa: PLC0415
    from customer_import.staging.migrate import migrate  # noqa: PLC0415
    from customer_import.start import prepare_run  # noqa: PLC0415

    context = get_current_context()
    dag_run = context["dag_run"]
    engine = open_engine()
    migrate(engine)
    run = begin_run(
        engine,
        dag_id=dag_run.dag_id,
        airflow_run_id=dag_run.run_id,
        import_type=ImportType(import_type),
        params=RunParams.parse(dict(context["params"])),
        started_by=getattr(dag_run, "triggering_user_name", None),
    )
    with _stage(engine, run, "start_run"):
        prepare_run(run, engine)
    return run.id


@task(pool=POOL, **_LONG)
def extract_customers(run_key: int) -> dict[str, Any]:
    """Read the import type's customers from Partner Center into staging, and classify them."""
    engine, run = _open(run_key)
    if run.params.mode is Mode.CHECK:
        return {}
    from customer_import.partner_center.extract import extract_customers as extract  # noqa: PLC0415

    with _stage(engine, run, "extract_customers"):
        return _counts(extract(run, engine))


@task(**_LONG)
def validate_customers(run_key: int) -> dict[str, Any]:
    """Check the staged customers with Great Expectations; critical findings reject a customer."""
    engine, run = _open(run_key)
    if run.params.mode not in {Mode.IMPORT, Mode.PREVIEW}:
        return {}
    from customer_import.validation.stage import validate_customers as validate  # noqa: PLC0415

    with _stage(engine, run, "validate_customers"):
        return _counts(validate(run, engine))


@task(**_LONG)
def transform_customers(run_key: int) -> list[int]:
    """Map the valid customers to accounts and contacts; return the numbers of the load batches."""
    engine, run = _open(run_key)
    if run.params.mode not in {Mode.IMPORT, Mode.PREVIEW}:
        return []
    from customer_import.load.index import index_accounts, needs_index  # noqa: PLC0415
    from customer_import.transform.stage import transform_customers as transform  # noqa: PLC0415

    with _stage(engine, run, "transform_customers"):
        summary = transform(run, engine)
        if needs_index(run, engine):
            index_accounts(run, engine)
    return list(range(summary.batches))


@task(
    doc_md="Write one batch of customers to the BSS, each exactly once.",  # a mapped task has no docstring
    max_active_tis_per_dagrun=MAX_ACTIVE_LOADS,
    map_index_template="batch {{ task.op_kwargs['batch'] }}",
    **_LONG,
)
def load_customers(run_key: int, batch: int) -> dict[str, Any]:
    """Write one batch of customers to the BSS, each exactly once."""
    from customer_import.load.batch import load_batch  # noqa: PLC0415

    engine, run = _open(run_key)
    instance = get_current_context()["ti"]
    with _stage(engine, run, f"load_customers[{batch}]"):
        summary = load_batch(
            run,
            engine,
            batch,
            attempt=instance.try_number,
            task_id=instance.task_id,
            map_index=instance.map_index,
        )
    return _counts(summary)


@task(trigger_rule="all_done", **_SHORT)
def finish_run(import_type: str) -> dict[str, Any]:
    """Give every customer an outcome, check that they add up, and return the summary."""
    from airflow.sdk.exceptions import AirflowFailException  # noqa: PLC0415

    from customer_import.results.summary import close_run  # noqa: PLC0415

    context = get_current_context()
    instance = context["ti"]
    run_key = instance.xcom_pull(task_ids="start_run")
    if run_key is None:
        message = "start_run failed, so there is nothing to sum up; its log says why"
        raise AirflowFailException(message)
    engine, run = _open(run_key)
    states = instance.get_task_states(dag_id=run.dag_id, run_ids=[run.airflow_run_id])[run.airflow_run_id]
    failed = {name: state for name, state in states.items() if state in {"failed", "upstream_failed"}}
    summary = close_run(engine, run, failed)
    alias = _written_alias(ImportType(import_type))
    if summary.wrote:
        context["outlet_events"][alias].add(written_asset(ImportType(import_type)))
    if summary.state == RunState.FAILED:
        instance.xcom_push(key="return_value", value=summary.as_dict())
        raise AirflowFailException(summary.error)
    return summary.as_dict()


def _open(run_key: int) -> tuple[Engine, Run]:
    from customer_import.run import open_run  # noqa: PLC0415
    from customer_import.staging.engine import open_engine  # noqa: PLC0415

    engine = open_engine()
    return engine, open_run(engine, run_key)


@contextmanager
def _stage(engine: Engine, run: Run, name: str) -> Iterator[None]:
    """Record how long a task took, and in words why it failed."""
    from customer_import.results.summary import DURATION_PREFIX  # noqa: PLC0415
    from customer_import.run import put_reference, record_error  # noqa: PLC0415

    started = time.monotonic()
    try:
        yield
    except CustomerImportError as error:
        record_error(engine, run.id, f"{name}: {error}")
        raise
    else:
        put_reference(engine, run.id, f"{DURATION_PREFIX}{name}", round(time.monotonic() - started, 3))


def _counts(summary: object) -> dict[str, Any]:
    """Return a stage's summary for XCom."""
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(summary)  # type: ignore[call-overload]
