"""Airflow DAG ``import_tenant_reseller_customers``: the end customers of one tenant reseller."""

from __future__ import annotations

from customer_import.pipeline import build_import_dag
from customer_import.vocabulary import ImportType

dag = build_import_dag(ImportType.TENANT_RESELLER)
