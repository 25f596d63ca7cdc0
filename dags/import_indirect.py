"""Airflow DAG ``import_indirect_customers``: the end customers of indirect resellers."""

from __future__ import annotations

from customer_import.pipeline.import_dag import build_import_dag
from customer_import.vocabulary import ImportType

SCHEDULE = None
"""Cron expression or preset, such as ``"0 4 * * *"`` or ``"@daily"``; None: only by hand."""

DOC = """
### Import the end customers of indirect resellers

Imports the tenants with a subscription that carries a reseller's MPN ID, grouped under that reseller. Resellers
themselves are never imported; a tenant under two or more resellers is reported as *ambiguous*. Needs App+User
credentials, because Partner Center shows relationships to nobody else.

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

dag = build_import_dag(ImportType.INDIRECT, doc_md=DOC, schedule=SCHEDULE)
