"""Airflow DAG ``maintain_customer_import``: removes old personal data."""

from __future__ import annotations

from customer_import.pipeline import build_maintenance_dag

SCHEDULE = "@daily"
"""Cron expression or preset, such as ``"0 4 * * *"``; None: only by hand."""

dag = build_maintenance_dag(schedule=SCHEDULE)
