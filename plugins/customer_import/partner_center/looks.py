"""Tries the calls that an import makes after its first ones: one customer, its subscriptions, rules and records."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from customer_import.errors import RejectedRequestError
from customer_import.partner_center.error_body import (
    tells_that_customer_is_gone,
    tells_that_customer_left,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from customer_import.http.finding import Look
    from customer_import.partner_center.client import PartnerCenterClient
    from customer_import.partner_center.models import ListedTenant

_MOST_TRIED = 10
_ANY_COUNTRY = "US"


def further_looks(client: PartnerCenterClient) -> Mapping[str, Look]:
    """Return subject to what looks at it."""

    async def one_customer() -> str:
        async for page in client.tenants():
            for tenant in islice(page, _MOST_TRIED):
                if (found := await _subscriptions_of(client, tenant)) is not None:
                    return f"can be read, with {found} subscriptions"
            break
        return "there is none that can be read"

    async def country_rules() -> str:
        await client.country_rules(_ANY_COUNTRY)
        return "can be read"

    async def audit_records() -> str:
        place = client.cloud.place
        if not place.has_audit_records:
            return f"there are none in {place.title}, so a run of the scope changed reads every customer"
        today = datetime.now(UTC).date()
        async for _ in client.audit_records(today, today):
            break
        return "can be read"

    return {
        "one customer": one_customer,
        "country rules": country_rules,
        "audit records": audit_records,
    }


async def _subscriptions_of(client: PartnerCenterClient, tenant: ListedTenant) -> int | None:
    """Read a customer and its subscriptions; ``None`` for one that has left, which is that customer's trouble."""
    try:
        await client.customer(tenant.tenant_id, ())
        return len(await client.subscriptions(tenant.tenant_id))
    except RejectedRequestError as error:
        if tells_that_customer_left(error) or tells_that_customer_is_gone(error):
            return None
        raise
