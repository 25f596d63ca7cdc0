"""The events that ask for imports, and what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from customer_import.errors import ConfigurationError
    from customer_import.runs.requests import ImportRequest

REQUEST_DAG_ID = "import_requested_customers"
REQUESTS = Asset(name="customer_import_requests", uri="customer-import://requests")
"""Its events ask for imports; their ``extra`` is an ``ImportRequest``."""
LATE = Asset(name="customer_import_late_requests", uri="customer-import://late-requests")
"""Its events say that requests may wait for a run that nobody starts; they carry nothing."""


def requests_of(context: Context) -> list[ImportRequest | ConfigurationError]:
    """Return what the events that started a run ask for, in order, or what is wrong with one."""
    from customer_import.runs.requests import gather_requests  # noqa: PLC0415

    events = context["triggering_asset_events"].get(REQUESTS, ())
    in_order = sorted(events, key=lambda event: event.timestamp)
    return gather_requests(event.extra for event in in_order)
