"""Airflow DAG ``import_tenant_reseller_customers``: the end customers of one tenant reseller."""

from __future__ import annotations

from customer_import.pipeline.import_dag import build_import_dag
from customer_import.vocabulary import ImportType

SCHEDULE = None
"""Cron expression or preset, such as ``"0 4 * * *"`` or ``"@daily"``; None: only by hand."""

DOC = """
### Import the end customers of one tenant reseller, into that reseller's own BSS organisation

Imports the tenants with at least one subscription that carries the MPN ID of the tenant reseller, as the instance
names it (`reseller_mpn_id`).

For each tenant the BSS gets one account with one contact, once; later runs update what changed. Every tenant of the run
has a result with its reason: open **Import Results**, the log of `load_customers`, or run `make results`.

| task | what it does |
|---|---|
| `start_run` | checks configuration and credentials, looks up the BSS organisation |
| `extract_customers` | reads Partner Center into staging and classifies each tenant |
| `validate_customers` | checks the data; critical findings reject a customer, warnings are kept with its result |
| `transform_customers` | maps customers to accounts and contacts (`include/mappings`) |
| `list_accounts` | lists the BSS accounts once, so that nobody is created who is there |
| `load_customers` | writes them to the BSS in batches; its log lists every customer |
| `finish_run` | checks that every customer has an outcome; its XCom is the summary |
"""

dag = build_import_dag(ImportType.TENANT_RESELLER, doc_md=DOC, schedule=SCHEDULE)
