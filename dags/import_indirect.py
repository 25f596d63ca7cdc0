"""Airflow DAG ``import_indirect_customers``: the end customers of indirect resellers."""

from __future__ import annotations

from customer_import.pipeline import build_import_dag
from customer_import.vocabulary import ImportType

dag = build_import_dag(ImportType.INDIRECT)
