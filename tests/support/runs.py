"""A run as tests begin it: recorded and opened in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.runs.run import open_run, record_run

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.runs.parameters import RunParams
    from customer_import.runs.run import Run
    from customer_import.vocabulary import ImportType


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
