"""The DAGs of instances that have schedules: one per instance and import type, each with its own rights.

What is wrong with one instance is no fault of the others: its DAG stays, without a schedule, and says what is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow.sdk import CronTriggerTimetable

from customer_import.config.instance_names import is_unreadable, with_schedules
from customer_import.config.roles import DAG_RIGHTS
from customer_import.errors import ConfigurationError
from customer_import.pipeline.documentation import describe
from customer_import.pipeline.import_dag import build_dag
from customer_import.pipeline.parameters import import_params

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from customer_import.config.instances import InstanceConfig
    from customer_import.vocabulary import ImportType

_WRONG = "wrong configuration"
_LONGEST_TAG = 100  # a longer one makes Airflow refuse the file with all its DAGs


def build_scheduled_dags() -> list[DAG]:
    """Build the DAGs that ``include/instances.yaml`` gives a schedule; none when no instance has one.

    Raises:
        ConfigurationError: The file as a whole is wrong.
    """
    scheduled = with_schedules()
    if (
        not scheduled and not is_unreadable()
    ):  # nearly every parse: the models are not even imported
        return []
    from customer_import.config.instances import load_each_instance  # noqa: PLC0415

    right: list[DAG] = []
    wrong: list[DAG] = []
    for name, instance in load_each_instance().items():
        if not isinstance(instance, ConfigurationError):
            right += [_scheduled(kind, name, instance) for kind in instance.schedules]
        elif name in scheduled:
            wrong += [_broken(kind, name, instance) for kind in scheduled[name]]
    taken = {dag.dag_id for dag in right}
    return [*right, *(dag for dag in wrong if dag.dag_id not in taken)]


def _scheduled(import_type: ImportType, name: str, instance: InstanceConfig) -> DAG:
    schedule = instance.schedules[import_type]
    return build_dag(
        import_type,
        import_params(
            import_type,
            schedule.scope,
            schedule.mode,
            requires_approval=schedule.require_approval,
            instance={name: instance.title},
        ),
        instance=name,
        title=instance.title,
        tags=[name],
        schedule=CronTriggerTimetable(schedule.cron, timezone=schedule.timezone),
        roles=roles_of(instance),
        is_paused=False,  # who writes a schedule wants it
    )


def _broken(import_type: ImportType, name: str, error: ConfigurationError) -> DAG:
    """Return the DAG of an instance that is wrong: without schedule; a run's first task says the same."""
    return build_dag(
        import_type,
        import_params(import_type, instance={name: name}),
        instance=re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:100],
        title=name,
        tags=[name[:_LONGEST_TAG], _WRONG],
        doc_md=f"**Wrong configuration, so there is no schedule:** {error}\n\n{describe(import_type)}",
        schedule=None,
    )


def roles_of(instance: InstanceConfig) -> dict[str, dict[str, set[str]]] | None:
    """Return what roles may do with an instance's DAGs; ``None`` when there are no roles."""
    return {role: DAG_RIGHTS[right] for role, right in instance.roles.items()} or None
