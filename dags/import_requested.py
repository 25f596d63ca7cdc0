"""Airflow DAG ``import_requested_customers``: starts imports of the customers that asset events name."""

from __future__ import annotations

from customer_import.pipeline import build_request_dag

dag = build_request_dag()
