"""Audit records: at most 90 days back, filtered and paged."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from sandbox.partner_center.errors import bad_input
from sandbox.wire import BOM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.population.models import AuditRecord, Json

_DEFAULT_DAYS = 30
_MAX_DAYS = 90
_PAGE_CAP = 500
_FILTERS = {
    "CustomerId": "customerId",
    "ResourceType": "resourceType",
    "CompanyName": "customerName",
}


def audit_body(
    records: Sequence[AuditRecord], query: Mapping[str, str], token: str | None
) -> bytes:
    """Make one page of audit records, BOM included.

    Args:
        records: All records, oldest first.
        query: ``startDate`` and ``endDate`` as days, ``size``, ``filter``.
        token: The ``MS-ContinuationToken`` of a following page.

    Raises:
        WireError: 400 for a bad date, one more than 90 days back, or a bad filter.
    """
    today = datetime.now(UTC).date()
    start = _day(query.get("startDate"), today - timedelta(days=_DEFAULT_DAYS))
    end = _day(query.get("endDate"), today)
    if start < today - timedelta(days=_MAX_DAYS):
        raise bad_input(description="Audit records are kept for 90 days.")
    takes = _condition(query.get("filter", ""))
    days = (start.isoformat(), end.isoformat())
    found = [r.document for r in records if days[0] <= r.day <= days[1] and takes(r.document)]
    size = min(_number(query.get("size", "0")) or _PAGE_CAP, _PAGE_CAP)
    offset = _offset(token) if token else 0
    page = found[offset : offset + size]
    body: Json = {
        "totalCount": max(0, len(page) - 1),
        "items": page,
        "links": {"self": {"uri": "/auditrecords", "method": "GET", "headers": []}},
        "attributes": {"objectType": "Collection"},
    }
    if offset + size < len(found):
        value = base64.urlsafe_b64encode(str(offset + size).encode()).decode()
        body["links"]["next"] = {
            "uri": f"/auditrecords?startDate={days[0]}&endDate={days[1]}&size={size}"
            "&seekOperation=Next",
            "method": "GET",
            "headers": [{"key": "MS-ContinuationToken", "value": value}],
        }
    return BOM + orjson.dumps(body)


def _offset(token: str) -> int:
    try:
        return _number(base64.urlsafe_b64decode(token).decode())
    except ValueError as error:
        raise bad_input(description="The continuation token is invalid.") from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise bad_input(description="A number is no number.")
    return int(text)


def _day(text: str | None, default: date) -> date:
    if not text:
        return default
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise bad_input(description="A date is no date.") from error


def _condition(text: str) -> Callable[[Json], bool]:
    if not text:
        return lambda _: True
    try:
        parts = orjson.loads(text)
        name, value = _FILTERS[parts["Field"]], str(parts["Value"]).lower()
    except (ValueError, KeyError, TypeError) as error:
        raise bad_input(description="The filter is not supported.") from error
    if name == "customerName":
        return lambda document: value in str(document[name]).lower()
    return lambda document: str(document[name]).lower() == value
