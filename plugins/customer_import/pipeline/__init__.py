"""What Airflow parses: the DAG factories and their parameters.

A whole DAG file:

# Airflow reads only files that hold the words "airflow" and "dag".
from customer_import.pipeline import build_import_dag
from customer_import.vocabulary import ImportType

dag = build_import_dag(ImportType.DIRECT, schedule="@daily")
"""

from __future__ import annotations

from customer_import.pipeline.import_dag import build_import_dag
from customer_import.pipeline.maintenance_dag import build_maintenance_dag
from customer_import.pipeline.request_dag import build_request_dag
from customer_import.pipeline.scheduled_dags import build_scheduled_dags

__all__ = [
    "build_import_dag",
    "build_maintenance_dag",
    "build_request_dag",
    "build_scheduled_dags",
]
