"""Airflow DAG ``maintain_customer_import``: removes old personal data."""

from __future__ import annotations

from customer_import.pipeline.maintenance_dag import build_maintenance_dag

SCHEDULE = "@daily"
"""Cron expression or preset, such as ``"0 4 * * *"``; None: only by hand."""

DOC = """
### Remove old personal data

To show what was read and what was sent, the imports keep the customers' data in their staging tables: company, address,
e-mail, phone and the name of the contact. This DAG removes that data of every run that started more than **keep_days**
days ago, 30 unless you say otherwise.

What stays: the runs, the result of every customer with its reason, and the links between tenants and BSS accounts. They
hold company names and ids, and are what keeps a customer from being created twice. The BSS itself is not touched.

| task | what it does |
|---|---|
| `purge_personal_data` | removes what was read, what was sent and the BSS values before an update; returns counts |

It is safe to run at any time, also while an import is at work, and twice.
"""

dag = build_maintenance_dag(doc_md=DOC, schedule=SCHEDULE)
