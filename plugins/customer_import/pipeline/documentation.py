"""What the Airflow UI says of each import DAG."""

from __future__ import annotations

from customer_import.vocabulary import ImportType

_WHOSE = {
    ImportType.DIRECT: """### Import the partner's own customers

Imports the tenants whose active, suspended or pending subscriptions carry **no** MPN ID, tenants without any
such subscription included.""",
    ImportType.INDIRECT: """### Import the end customers of indirect resellers

Imports the tenants with a subscription that carries a reseller's MPN ID, grouped under that reseller. Resellers
themselves are never imported; a tenant under two or more resellers is reported as *ambiguous*. Needs App+User
credentials, because Partner Center shows relationships to nobody else.""",
    ImportType.TENANT_RESELLER: """### Import the end customers of one tenant reseller

They go into that reseller's own BSS organisation.

Imports the tenants with at least one subscription that carries the MPN ID of the tenant reseller, as the instance
names it (`reseller_mpn_id`).""",
}
_TASKS = """
For each tenant the BSS gets one account with one contact, once; later runs update what changed. Every tenant of the run
has a result with its reason: open **Import Results**, the log of `load_customers`, or run `customer-import results`.

| task | what it does |
|---|---|
| `start_run` | checks configuration and credentials, looks up the BSS organisation |
| `extract_customers` | reads Partner Center into staging and classifies each tenant |
| `validate_customers` | checks the data; critical findings reject a customer, warnings are kept with its result |
| `transform_customers` | maps customers to accounts and contacts (`include/mappings`) |
| `list_accounts` | lists the BSS accounts once, so that nobody is made twice; stops a load that would empty too much |
| `approve_load` | waits for a person, when the run or its instance asks for that, or the load overwrites much |
| `load_customers` | writes them to the BSS in batches; its log lists every customer |
| `finish_run` | checks that every customer has an outcome; its XCom is the summary |
"""


def describe(import_type: ImportType) -> str:
    """Return the DAG's documentation in Markdown."""
    return f"{_WHOSE[import_type]}\n{_TASKS}"


MAINTENANCE = """
### Remove old personal data

To show what was read and what was sent, the imports keep the customers' data in their staging tables: company, address,
e-mail, phone and the name of the contact. This DAG removes that data of every run that started more than 30 days ago,
or as long ago as the instance's `retention` in `include/instances.yaml` says, or **keep_days**. Where `retention` says
so, old runs are deleted with their results, too.

What stays: the runs, the result of every customer with its reason, and the links between tenants and BSS accounts. They
hold company names and ids, and are what keeps a customer from being created twice. The BSS itself is not touched.

| task | what it does |
|---|---|
| `purge_personal_data` | removes what was read, what was sent and the BSS values before an update; returns counts |

It is safe to run at any time, also while an import is at work, and twice.
"""

REQUESTS = """
### Import the customers that another system names

Starts an import of a few customers when an event of the asset `customer_import_requests` asks for it. Its `extra` says
which:

| field | what it is |
|---|---|
| `import_type` | `direct`, `indirect` or `tenant_reseller` |
| `instance` | a key of `include/instances.yaml` that takes this import |
| `tenants` | 1 to 100 tenant ids or primary domains |

The import is the DAG of that instance where it has a schedule, else the one of the import type. It reads these
customers from Partner Center and writes what differs; it waits for its turn as every run does, and asks a person where
the instance wants that.

| task | what it does |
|---|---|
| `read_requests` | reads the events; those for the same import are put together |
| `start_import` | one for each import: starts it, or fails with what is wrong with the event |

A run by hand has no event, and does nothing.
"""
