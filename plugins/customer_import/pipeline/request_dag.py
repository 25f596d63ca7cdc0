"""The DAG that starts imports of named customers when an event of another system asks for them.

Anybody who may create asset events may ask: by Airflow's REST API, or by an outlet of a DAG of their own. A DAG that
an asset starts gets no parameters, so the imports do not listen themselves: this one hands the tenants on.

Airflow forgets to start a run for an event that comes while it creates the run of the event before; the event itself is
kept, and given to whatever run is next. So each run looks for later events, and sees to it that there is a next one.

Imported at every parse, like ``customer_import.pipeline.import_dag``; so heavy parts are imported inside.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    get_current_context,
    task,
)

from customer_import.errors import ConfigurationError
from customer_import.pipeline.documentation import REQUESTS as DOCUMENTATION
from customer_import.pipeline.import_dag import OWNER, RETRY_POLICY, TAGS
from customer_import.vocabulary import Mode, Scope, dag_id_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from customer_import.runs.requests import ImportRequest

log = logging.getLogger(__name__)

DAG_ID = "import_requested_customers"
REQUESTS = Asset(name="customer_import_requests", uri="customer-import://requests")
"""Its events ask for imports; their ``extra`` is an ``ImportRequest``."""
LATE = Asset(name="customer_import_late_requests", uri="customer-import://late-requests")
"""Its events say that requests may wait for a run that nobody starts; they carry nothing."""
_MAYBE_LATE = AssetAlias(name="customer_import_maybe_late_requests")
_POLICY = ExceptionRetryPolicy(
    rules=[
        *RETRY_POLICY.rules,
        RetryRule(
            exception=SystemExit,
            action=RetryAction.FAIL,
            reason="a person must correct what the line above names",
        ),
    ]
)
_SHORT: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "execution_timeout": timedelta(minutes=5),
}


def build_request_dag() -> DAG:
    """Build the DAG that listens to requests."""
    dag = DAG(
        dag_id=DAG_ID,
        dag_display_name="Import requested customers",
        description="Starts imports of the customers that asset events name",
        doc_md=DOCUMENTATION,
        schedule=REQUESTS | LATE,
        catchup=False,
        max_active_runs=1,
        tags=[*TAGS, "requests"],
        is_paused_upon_creation=False,  # it does nothing unless somebody asks
        default_args={"owner": OWNER, "retry_policy": _POLICY},
    )
    with dag:
        StartImport.partial(
            task_id="start_import",
            doc_md=StartImport.__doc__,
            map_index_template="{{ import_started }}",
            **_SHORT,
        ).expand(number=read_requests())
    return dag


@task(show_return_value_in_logs=False, inlets=[REQUESTS], outlets=[_MAYBE_LATE], **_SHORT)
def read_requests() -> list[int]:
    """Read the events; return a number for each import that they ask for, and for each event that is wrong."""
    context = get_current_context()
    found = _requests(context)
    wrong = sum(isinstance(request, ConfigurationError) for request in found)
    log.info("The events ask for %d imports; %d events are wrong", len(found) - wrong, wrong)
    if context["inlet_events"][REQUESTS].after(context["dag_run"].run_after.isoformat()).limit(1):
        log.info("Later events are there; the next run has them")
        context["outlet_events"][_MAYBE_LATE].add(LATE)
    return list(range(len(found)))


class StartImport(TriggerDagRunOperator):
    """Start one import of named customers, or say what is wrong with the event that asked for it.

    Args:
        number: Of those that ``read_requests`` found.
        kwargs: Of every operator.
    """

    template_fields = ()  # nothing is known before the events are read

    def __init__(self, *, number: int, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own types
        super().__init__(
            trigger_dag_id=DAG_ID,  # the import's, once it is known
            logical_date=None,  # else two that start at once could take the same
            skip_when_already_exists=True,  # an attempt before this one may have been killed after it
            openlineage_inject_parent_info=False,  # an import takes no parameter that it does not know
            **kwargs,
        )
        self.number = number

    def execute(self, context: Context) -> None:
        """Start it."""
        request = _requests(context)[self.number]
        try:
            if isinstance(request, ConfigurationError):
                raise request
            self.trigger_dag_id = _dag_of(request)
            _check_not_paused(self.trigger_dag_id, context)
        except ConfigurationError as error:
            _refuse(error)
        context["import_started"] = f"{request.import_type}, {request.instance}"  # type: ignore[typeddict-unknown-key]
        self.trigger_run_id = f"requested__{context['run_id']}__{self.number}"
        self.conf = {
            "instance": request.instance,
            "tenants": list(request.tenants),
            "mode": Mode.IMPORT.value,
            "scope": Scope.FULL.value,  # these few are read, whatever is remembered of them
        }
        log.info(
            "Starts run %s of %s for %d tenants",
            self.trigger_run_id,
            self.trigger_dag_id,
            len(request.tenants),
        )
        super().execute(context)


def _requests(context: Context) -> list[ImportRequest | ConfigurationError]:
    from customer_import.runs.requests import gather_requests  # noqa: PLC0415

    events = context["triggering_asset_events"].get(REQUESTS, ())
    in_order = sorted(events, key=lambda event: event.timestamp)
    return gather_requests(event.extra for event in in_order)


def _dag_of(request: ImportRequest) -> str:
    """Return the DAG by which the instance is imported: its own, where it has a schedule."""
    from customer_import.config.instances import load_instance  # noqa: PLC0415

    instance = load_instance(request.instance, request.import_type)
    has_own = request.import_type in instance.schedules
    return dag_id_of(request.import_type, request.instance if has_own else None)


def _check_not_paused(dag_id: str, context: Context) -> None:
    if context["ti"].get_dag(dag_id).is_paused:
        message = f"the DAG {dag_id} is paused, so a run of it would not begin"
        raise ConfigurationError(message, hint="unpause it, then clear this task")


def _refuse(error: ConfigurationError) -> NoReturn:
    """End the task with one line in its log: an error that is raised would bury it in a stack trace."""
    log.error("%s", error)
    raise SystemExit(1)
