"""Airflow DAG ``maintain_customer_import``: removes old personal data, tells what is overdue."""

from __future__ import annotations

from customer_import.pipeline import build_maintenance_dag

dag = build_maintenance_dag()
