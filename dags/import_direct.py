"""Airflow DAG ``import_direct_customers``: the partner's own customers."""

from __future__ import annotations

from customer_import.pipeline import build_import_dag
from customer_import.vocabulary import ImportType

dag = build_import_dag(ImportType.DIRECT)
