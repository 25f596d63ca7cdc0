"""The task graph of the maintenance DAG: one task that removes old personal data.

Imported at every parse, like ``customer_import.pipeline.import_dag``, whose policies it shares; so heavy
parts are imported inside the task.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from customer_import.pipeline.documentation import MAINTENANCE
from customer_import.pipeline.import_dag import OWNER, RETRY_POLICY, TAGS

DAG_ID = "maintain_customer_import"
KEEP_DAYS = 30


def build_maintenance_dag(*, schedule: str | None = "@daily") -> DAG:
    """Build the maintenance DAG.

    Args:
        schedule: Cron expression or preset; ``None`` for runs by hand only.
    """
    dag = DAG(
        dag_id=DAG_ID,
        dag_display_name="Maintain customer imports",
        description="Removes personal data that the customer imports staged long ago",
        doc_md=MAINTENANCE,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=[*TAGS, "maintenance"],
        params={
            "keep_days": Param(
                default=KEEP_DAYS,
                type="integer",
                minimum=1,
                title="Keep personal data for (days)",
                description="What older runs read and sent is removed; results and links stay.",
                section="What to keep",
            )
        },
        default_args={"owner": OWNER, "retry_policy": RETRY_POLICY},
    )
    with dag:
        purge_personal_data()
    return dag


@task(
    retries=2,
    retry_delay=timedelta(minutes=1),
    execution_timeout=timedelta(hours=1),
    show_return_value_in_logs=False,
)
def purge_personal_data() -> dict[str, Any]:
    """Remove what runs older than ``keep_days`` read from Partner Center and sent to the BSS."""
    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.database.migrate import migrate  # noqa: PLC0415
    from customer_import.tasks.retention import purge  # noqa: PLC0415

    keep_days = int(get_current_context()["params"]["keep_days"])
    engine = open_engine()
    migrate(engine)
    return asdict(purge(engine, keep_days))
