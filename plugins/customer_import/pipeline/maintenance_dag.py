"""The task graph of the maintenance DAG: removes old personal data, and looks for what no run can tell.

Imported at every parse, like ``customer_import.pipeline.import_dag``, whose policies it shares; so heavy
parts are imported inside the task.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from customer_import.pipeline.database_outage import LONGEST_S, outlasting_database
from customer_import.pipeline.documentation import MAINTENANCE
from customer_import.pipeline.import_dag import OWNER, RETRY_POLICY, TAGS
from customer_import.pipeline.task_run import pages_url, results_url

DAG_ID = "maintain_customer_import"


def build_maintenance_dag(*, schedule: str | None = "@hourly") -> DAG:
    """Build the maintenance DAG.

    Args:
        schedule: Cron expression or preset; ``None`` for runs by hand only.
    """
    dag = DAG(
        dag_id=DAG_ID,
        dag_display_name="Maintain customer imports",
        description="Removes personal data that the customer imports staged long ago, and tells what is overdue",
        doc_md=MAINTENANCE,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=[*TAGS, "maintenance"],
        is_paused_upon_creation=False,
        params={
            "keep_days": Param(
                default=None,
                type=["null", "integer"],
                minimum=1,
                maximum=36_500,
                title="Keep personal data for (days)",
                description="What older runs read and sent is removed; results and links stay. Empty: as long as each "
                "instance says (retention in include/instances.yaml).",
                section="What to keep",
            )
        },
        default_args={"owner": OWNER, "retry_policy": RETRY_POLICY},
    )
    with dag:
        purge_personal_data()
        watch_imports()
    return dag


@task(
    retries=2,
    retry_delay=timedelta(minutes=1),
    execution_timeout=timedelta(hours=1, seconds=LONGEST_S),
    show_return_value_in_logs=False,
)
@outlasting_database
def purge_personal_data() -> dict[str, Any]:
    """Remove what each instance keeps no longer: what its runs read and sent, and old runs."""
    from customer_import.config.instances import load_each_instance  # noqa: PLC0415
    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.database.migrate import migrate  # noqa: PLC0415
    from customer_import.errors import ConfigurationError  # noqa: PLC0415
    from customer_import.tasks.retention import apply_retention  # noqa: PLC0415

    keep_days = get_current_context()["params"]["keep_days"]
    engine = open_engine()
    migrate(engine)
    instances = load_each_instance()
    wrong = [one for one in instances.values() if isinstance(one, ConfigurationError)]
    counts = apply_retention(
        engine,
        {
            name: None if isinstance(one, ConfigurationError) else one.retention
            for name, one in instances.items()
        },
        keep_days,
    )
    for error in wrong:  # nobody can tell how long its data is to be kept
        raise error
    return asdict(counts)


@task(
    retries=2,
    retry_delay=timedelta(minutes=1),
    execution_timeout=timedelta(minutes=10, seconds=LONGEST_S),
    show_return_value_in_logs=False,
)
@outlasting_database
def watch_imports() -> None:
    """Tell people which scheduled imports are overdue, which credentials end soon, and what did not reach them."""
    from customer_import.config.instances import load_each_instance  # noqa: PLC0415
    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.database.migrate import migrate  # noqa: PLC0415
    from customer_import.errors import ConfigurationError  # noqa: PLC0415
    from customer_import.notices.send import tell_again  # noqa: PLC0415
    from customer_import.notices.watch import watch  # noqa: PLC0415

    engine = open_engine()
    migrate(engine)
    instances = load_each_instance()
    right = {
        name: one for name, one in instances.items() if not isinstance(one, ConfigurationError)
    }
    tell_again(engine, right, results_url)
    watch(engine, right, pages_url())
    for error in instances.values():
        if isinstance(error, ConfigurationError):
            raise error
