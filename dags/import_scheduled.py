"""Airflow DAGs of the instances with a schedule in ``include/instances.yaml``: ``import_direct_customers__<instance>``.

There are none as long as no instance has one.
"""

from __future__ import annotations

from customer_import.pipeline import build_scheduled_dags

scheduled_dags = {dag.dag_id: dag for dag in build_scheduled_dags()}
globals().update(scheduled_dags)
