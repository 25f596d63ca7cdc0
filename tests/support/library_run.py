"""Runs a whole import through the library, stage by stage as the DAG does, without Airflow's scheduler.

For tests that need many runs; the same stages in real Airflow are tested in ``tests/e2e``.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import orjson

from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.runs.parameters import RunParams
from customer_import.tasks.extract.extract import extract_customers
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from customer_import.tasks.start import prepare_run
from customer_import.tasks.transform.transform import transform_customers
from customer_import.tasks.validate.validate import validate_customers
from customer_import.vocabulary import ImportType
from sandbox.demo.settings import (
    PARTNER_CENTER_CONNECTION,
    connections,
    variables,
    write_instances,
)
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.tasks.finish.summary import Summary
    from sandbox.info import SandboxInfo

INSTANCES = {
    ImportType.DIRECT: "sandbox",
    ImportType.INDIRECT: "sandbox",
    ImportType.TENANT_RESELLER: "sandbox_reseller",
}


def sandbox_environment(info: SandboxInfo, folder: Path) -> dict[str, str]:
    """Return the environment in which Airflow finds a sandbox's connections, variables and instances."""
    instances = folder / "instances.yaml"
    write_instances(info, instances)
    environment = {"CUSTOMER_IMPORT_INSTANCES": str(instances)}
    for connection in connections(info):
        name = connection.pop("connection_id")
        environment[f"AIRFLOW_CONN_{name.upper()}"] = orjson.dumps(connection).decode()
    for name, value in variables(info).items():
        environment[f"AIRFLOW_VAR_{name.upper()}"] = value
    return environment


def run_import(
    engine: Engine, import_type: ImportType, *, airflow_run_id: str | None = None, **params: Any
) -> Summary:
    """Run one import from start to summary; ``params`` are those of the trigger form."""
    return finish(engine, load(engine, stage(engine, import_type, airflow_run_id, **params)))


def stage(
    engine: Engine, import_type: ImportType, airflow_run_id: str | None = None, **params: Any
) -> Run:
    """Run everything before the load."""
    run = begin_run(
        engine,
        dag_id=import_type.dag_id,
        airflow_run_id=airflow_run_id or f"test__{uuid.uuid4()}",
        import_type=import_type,
        params=RunParams.parse({"instance": INSTANCES[import_type], **params}),
        started_by="test",
    )
    return stage_again(engine, run)


def stage_again(engine: Engine, run: Run) -> Run:
    """Run everything before the load, of a run that was begun or is cleared."""
    prepare_run(run, engine, _hook())
    extract_customers(run, engine, _hook())
    if run.is_loading:
        validate_customers(run, engine)
        transform_customers(run, engine)
    return run


def load(engine: Engine, run: Run, attempt: int = 1) -> Run:
    """Load every batch of a staged run."""
    from sqlalchemy import select

    from customer_import.database.tables import staged_accounts

    list_accounts(run, engine)
    with engine.connect() as connection:
        batches = (
            connection.execute(
                select(staged_accounts.c.batch)
                .where(staged_accounts.c.run_id == run.key)
                .distinct()
            )
            .scalars()
            .all()
        )
    for batch in sorted(batches):
        load_batch(run, engine, batch, attempt=attempt, map_index=batch)
    return run


def finish(engine: Engine, run: Run) -> Summary:
    """Close a run whose tasks all succeeded."""
    return close_run(engine, run.key, {})


def _hook() -> PartnerCenterHook:
    """Outside a task Airflow stores no variable, so the rotated token is not kept."""
    return PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)


def apply_environment(environment: dict[str, str]) -> None:
    """Set an environment for this process."""
    os.environ.update(environment)
