"""The operator that starts one requested import; Airflow's own, which it extends, imports Airflow's whole database."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from customer_import.errors import ConfigurationError
from customer_import.pipeline.request_events import REQUEST_DAG_ID, requests_of
from customer_import.vocabulary import Mode, Scope, dag_id_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from customer_import.runs.requests import ImportRequest

log = logging.getLogger(__name__)


class StartImport(TriggerDagRunOperator):
    """Start one import of named customers, or say what is wrong with the event that asked for it.

    Args:
        number: Of those that ``read_requests`` found.
        kwargs: Of every operator.
    """

    template_fields = ()  # nothing is known before the events are read

    def __init__(self, *, number: int, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own types
        super().__init__(
            trigger_dag_id=REQUEST_DAG_ID,  # the import's, once it is known
            logical_date=None,  # else two that start at once could take the same
            skip_when_already_exists=True,  # an attempt before this one may have been killed after it
            openlineage_inject_parent_info=False,  # an import takes no parameter that it does not know
            **kwargs,
        )
        self.number = number

    def execute(self, context: Context) -> None:
        """Start it."""
        request = requests_of(context)[self.number]
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
