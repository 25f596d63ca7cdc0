"""The task graph that the three DAGs share.

    start_run -> extract_customers -> validate_customers -> transform_customers
        -> list_accounts -> approve_load -> load_customers (one per batch) -> finish_run

Tasks pass on the run key and counts, never customers: those are in the staging tables. Every task may be
killed at any moment and run again. This module is imported at every parse, so the library's heavy parts are
imported inside the tasks.
"""

from __future__ import annotations

from dataclasses import asdict
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
    DataQualityError,
    EndlessListError,
    OutageError,
    SupersededError,
    ThrottledError,
)
from customer_import.machines import has_several
from customer_import.pipeline.approval import ApproveLoad
from customer_import.pipeline.database_outage import LONGEST_S, outlasting_database
from customer_import.pipeline.documentation import describe
from customer_import.pipeline.parameters import import_params
from customer_import.pipeline.task_run import (
    attempt_of,
    is_cleared_alone,
    open_task,
    results_url,
    wait_for_cleared,
    wait_for_turn,
)
from customer_import.vocabulary import ImportType, RunState, Scope, TaskId, dag_id_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from airflow.sdk import CronTriggerTimetable

TAGS = ("customer-import", "partner-center", "bss")
OWNER = "customer-import"
LOAD_RETRIES = 10
"""More than other tasks: a load is long, each machine or database that goes away costs it a try, and a try goes on
where the one before was ended."""
ACTIVE_LOADS = 16 if has_several() else 4
"""Load tasks of a run at work at once: on one machine more would only share what it may send."""

_FINAL = {
    AuthenticationError: "credentials or consent were refused",
    ConfigurationError: "a person must correct the configuration",
    DataQualityError: "the run looks wrong as a whole",
    ConservationError: "the outcomes do not add up",
    EndlessListError: "a list of the API does not end",
    SupersededError: "a later attempt of this task is at work",
}
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        *(
            RetryRule(exception=error, action=RetryAction.FAIL, reason=reason)
            for error, reason in _FINAL.items()
        ),
        RetryRule(
            exception=OutageError,
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=10),  # with what each try waits, more than an hour in all
            reason="a service is away",
        ),
        RetryRule(
            exception=ThrottledError,
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=2),
            reason="the API's rate limit was hit",
        ),
    ]
)
_QUIET = {"show_return_value_in_logs": False}  # the log is for people; the value is in XCom
_SHORT: dict[str, Any] = _QUIET | {
    "retry_delay": timedelta(seconds=20),
    "execution_timeout": timedelta(minutes=15, seconds=LONGEST_S),
}
_HOURS: dict[str, Any] = {
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(hours=4),
}
_LONG = _QUIET | _HOURS


def build_import_dag(
    import_type: ImportType, *, schedule: str | None = None, doc_md: str | None = None
) -> DAG:
    """Build the DAG of one import type, for any instance.

    Args:
        import_type: Whose customers it imports; decides DAG id, parameters and classification.
        schedule: Cron expression or preset; ``None`` for runs by hand only.
        doc_md: Shown in the Airflow UI instead of the import type's own documentation.
    """
    # By hand people expect everything to be read; a schedule should cost what changed.
    scope = Scope.CHANGED if schedule else Scope.FULL
    params = import_params(import_type, scope)
    return build_dag(import_type, params, schedule=schedule, doc_md=doc_md)


def build_dag(
    import_type: ImportType,
    params: Mapping[str, dict[str, Any]],
    *,
    schedule: str | CronTriggerTimetable | None,
    instance: str = "",
    title: str = "",
    tags: Iterable[str] = (),
    roles: Mapping[str, Mapping[str, Collection[str]]] | None = None,
    is_paused: bool | None = None,
    doc_md: str | None = None,
) -> DAG:
    """Build a DAG of the shared task graph.

    Args:
        import_type: Whose customers it imports.
        params: As ``import_params`` gives them.
        schedule: When runs start by themselves; ``None``: only by hand.
        instance: The only instance that it is for, part of its id; empty for any.
        title: That instance's.
        tags: Beside those of every import.
        roles: What roles may do with it: role, resource, actions; roles that may do it with every DAG stand nowhere.
        is_paused: Whether it is when Airflow sees it first; ``None``: as Airflow is configured.
        doc_md: Shown in the Airflow UI instead of the import type's own documentation.
    """
    kind = import_type.value.replace("_", " ")
    dag = DAG(
        dag_id=dag_id_of(import_type, instance),
        dag_display_name=f"Import {kind} customers{f': {title}' if title else ''}",
        description=f"Partner Center customers ({kind}) into interworks.cloud BSS",
        doc_md=doc_md or describe(import_type),
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=[*TAGS, import_type.value, *tags],
        default_args={"owner": OWNER, "retry_policy": RETRY_POLICY},
        is_paused_upon_creation=is_paused,
        access_control=roles,
    )
    with dag:
        run_key: Any = start_run(import_type.value)  # an XComArg here, an int inside the tasks
        extracted = extract_customers(run_key)
        validated = validate_customers(run_key)
        transformed = transform_customers(run_key)
        listed = list_accounts(run_key)
        approved = ApproveLoad(run_key=run_key, doc_md=ApproveLoad.__doc__, retries=3, **_HOURS)
        loaded = load_customers.partial(run_key=run_key).expand(batch=transformed)
        finish = finish_run.override(outlets=[_written_alias(import_type)])(import_type.value)
        extracted >> validated >> transformed >> listed >> approved >> loaded >> finish
    # Last: an operator copies the parameters that its DAG has when it is made, and at run time gets them from
    # the DAG anyway; the copies took most of the parse time.
    for name, spec in params.items():
        dag.params[name] = Param(**spec)
    return dag


def written_asset(import_type: ImportType) -> Asset:
    """Return the asset that is updated when a run of this import type wrote to the BSS."""
    return Asset(
        name=f"bss_{import_type.value}_customers", uri=f"customer-import://bss/{import_type.value}"
    )


def _written_alias(import_type: ImportType) -> AssetAlias:
    """An alias, because an outlet asset would be updated by every successful run, also by one that wrote nothing."""
    return AssetAlias(name=f"bss_{import_type.value}_customers_written")


@task(retries=3, **_SHORT)
@outlasting_database
def start_run(import_type: str) -> int:
    """Check configuration and credentials, migrate the database, look up the organisation."""
    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.database.migrate import migrate  # noqa: PLC0415
    from customer_import.runs.parameters import RunParams  # noqa: PLC0415
    from customer_import.runs.run import find_run, record_run  # noqa: PLC0415

    context = get_current_context()
    dag_run = context["dag_run"]
    migrate(open_engine())
    known = find_run(open_engine(), dag_run.dag_id, dag_run.run_id)
    if known is not None and is_cleared_alone():
        return known
    run_key = record_run(
        open_engine(),
        dag_id=dag_run.dag_id,
        airflow_run_id=dag_run.run_id,
        import_type=ImportType(import_type),
        params=RunParams.parse(dict(context["params"])),
        started_by=getattr(dag_run, "triggering_user_name", None),
    )
    wait_for_turn(run_key)
    with open_task(run_key, TaskId.START_RUN) as (engine, run):
        from customer_import.tasks.start import prepare_run  # noqa: PLC0415

        prepare_run(run, engine)
    return run_key


@task(retries=3, **_LONG)
@outlasting_database
def extract_customers(run_key: int) -> dict[str, Any]:
    """Read the import type's customers from Partner Center into staging, and classify them."""
    with open_task(run_key, TaskId.EXTRACT_CUSTOMERS) as (engine, run):
        from customer_import.tasks.extract.extract import (  # noqa: PLC0415
            extract_customers as extract,
        )

        return asdict(extract(run, engine))


@task(retries=3, **_LONG)
@outlasting_database
def validate_customers(run_key: int) -> dict[str, Any]:
    """Check the staged customers with Great Expectations; critical findings reject a customer."""
    with open_task(run_key, TaskId.VALIDATE_CUSTOMERS) as (engine, run):
        if not run.is_loading:
            return {}
        from customer_import.tasks.validate.validate import (  # noqa: PLC0415
            validate_customers as validate,
        )

        return asdict(validate(run, engine))


@task(retries=3, **_LONG)
@outlasting_database
def transform_customers(run_key: int) -> list[int]:
    """Map the valid customers to accounts and contacts; return the numbers of the load batches."""
    with open_task(run_key, TaskId.TRANSFORM_CUSTOMERS) as (engine, run):
        if not run.is_loading:
            return []
        from customer_import.tasks.transform.transform import (  # noqa: PLC0415
            transform_customers as transform,
        )

        return list(range(transform(run, engine).batches))


@task(retries=3, **_LONG)
@outlasting_database
def list_accounts(run_key: int) -> dict[str, Any]:
    """List the BSS accounts once, when a customer has none yet; stop a load that would empty a field for too many."""
    with open_task(run_key, TaskId.LIST_ACCOUNTS) as (engine, run):
        if not run.is_loading:
            return {}
        from customer_import.tasks.load.account_listing import (  # noqa: PLC0415
            list_accounts as list_once,
        )

        return {"accounts": list_once(run, engine)}


@task(
    doc_md="Write one batch of customers to the BSS, each exactly once.",  # a mapped task has no docstring
    max_active_tis_per_dagrun=ACTIVE_LOADS,
    retries=LOAD_RETRIES,
    map_index_template="batch {{ task.op_kwargs['batch'] }}",
    **_LONG,
)
@outlasting_database
def load_customers(run_key: int, batch: int) -> dict[str, Any]:
    """Write one batch of customers to the BSS, each exactly once."""
    with open_task(run_key, TaskId.LOAD_CUSTOMERS) as (engine, run):
        from customer_import.tasks.load.load import load_batch  # noqa: PLC0415

        instance = get_current_context()["ti"]
        summary = load_batch(
            run,
            engine,
            batch,
            attempt=instance.try_number,
            map_index=instance.map_index or 0,
        )
        return asdict(summary)


@task(retries=2, trigger_rule="all_done", **_SHORT)
@outlasting_database
def finish_run(import_type: str) -> dict[str, Any]:
    """Give every customer an outcome, check that they add up, and return the summary."""
    from airflow.sdk.exceptions import AirflowFailException  # noqa: PLC0415

    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.notices.send import tell_of_run  # noqa: PLC0415
    from customer_import.runs.run import find_run  # noqa: PLC0415
    from customer_import.runs.tasks import record_task  # noqa: PLC0415
    from customer_import.tasks.finish.close import close_run  # noqa: PLC0415

    context = get_current_context()
    instance, dag_run = context["ti"], context["dag_run"]
    engine = open_engine()
    run_key = find_run(engine, dag_run.dag_id, dag_run.run_id)
    if run_key is None:
        message = "start_run failed before it could record the run; its log says why"
        raise AirflowFailException(message)
    found = instance.get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])
    states = found.get(dag_run.run_id, {})
    wait_for_cleared(states)
    failed = {
        name: state for name, state in states.items() if state in {"failed", "upstream_failed"}
    }
    url = results_url(dag_run.dag_id, dag_run.run_id)
    with record_task(engine, attempt_of(run_key, TaskId.FINISH_RUN)):
        try:
            summary = close_run(engine, run_key, failed, url)
        finally:
            tell_of_run(engine, run_key, url)
    if summary.wrote:
        alias = _written_alias(ImportType(import_type))
        written = written_asset(ImportType(import_type))
        context["outlet_events"][alias].add(written, extra=summary.as_event())
    if summary.state == RunState.FAILED:
        instance.xcom_push(key="return_value", value=summary.as_dict())
        raise AirflowFailException(summary.error)
    return summary.as_dict()
