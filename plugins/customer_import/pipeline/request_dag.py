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
from typing import Any

from airflow.sdk import (
    DAG,
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
from customer_import.pipeline.request_events import LATE, REQUEST_DAG_ID, REQUESTS, requests_of

log = logging.getLogger(__name__)

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
    from customer_import.pipeline.start_import import StartImport  # noqa: PLC0415

    dag = DAG(
        dag_id=REQUEST_DAG_ID,
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
    found = requests_of(context)
    wrong = sum(isinstance(request, ConfigurationError) for request in found)
    log.info("The events ask for %d imports; %d events are wrong", len(found) - wrong, wrong)
    if context["inlet_events"][REQUESTS].after(context["dag_run"].run_after.isoformat()).limit(1):
        log.info("Later events are there; the next run has them")
        context["outlet_events"][_MAYBE_LATE].add(LATE)
    return list(range(len(found)))
