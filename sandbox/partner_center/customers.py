"""The customer list with its paging, as bytes.

Page links are relative, with and without ``/v1`` in turn, and are good only together with the
``MS-ContinuationToken`` header that they name. ``totalCount`` is wrong on purpose: recorded
answers show that it cannot be trusted.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from sandbox.partner_center.errors import bad_input
from sandbox.wire import BOM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.partner_center.source import Source
    from sandbox.population.models import Customer

PAGE_CAP = 500
_DEFAULT_SIZE = 100
_FILTER_FIELDS = frozenset({"CompanyName", "Domain", "IndirectReseller"})


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """The only search that Partner Center has: a field that starts with a value."""

    field: str
    value: str

    @classmethod
    def parse(cls, text: str) -> CustomerFilter | None:
        """Read the ``filter`` parameter; None when it is empty.

        Raises:
            WireError: 400 when it is not what Partner Center takes.
        """
        if not text:
            return None
        try:
            parts = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise bad_input(description="The filter is no JSON.") from error
        if not isinstance(parts, dict) or set(parts) != {"Field", "Value", "Operator"}:
            raise bad_input(description="The filter needs Field, Value and Operator.")
        if parts["Field"] not in _FILTER_FIELDS or parts["Operator"] != "starts_with":
            raise bad_input(description="The filter's field or operator is not supported.")
        return cls(parts["Field"], str(parts["Value"]))

    def takes(self, customer: Customer) -> bool:
        """Tell whether a customer is found, ignoring case."""
        value = self.value.lower()
        if self.field == "IndirectReseller":
            return any(reseller.lower() == value for reseller in customer.reseller_ids)
        text = customer.company_name if self.field == "CompanyName" else customer.domain
        return text.lower().startswith(value)

    def text(self) -> str:
        """The filter as it goes into a page link."""
        parts = {"Field": self.field, "Value": self.value, "Operator": "starts_with"}
        return quote(orjson.dumps(parts).decode())


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of the list is wanted."""

    filter: CustomerFilter | None
    size: int
    offset: int

    @classmethod
    def of(cls, query: Mapping[str, str], token: str | None) -> PageRequest:
        """Read a request's query and its ``MS-ContinuationToken``.

        Raises:
            WireError: 400 for a bad size, filter or continuation.
        """
        found = CustomerFilter.parse(query.get("filter", ""))
        size = query.get("size", "0")
        if not (size.isascii() and size.isdigit()):
            raise bad_input(description="size is no number.")
        if query.get("seekOperation", "First").lower() in {"first", "0"} and token is None:
            return cls(found, min(int(size) or _DEFAULT_SIZE, PAGE_CAP), 0)
        if token is None:
            raise bad_input(description="seekOperation needs the MS-ContinuationToken header.")
        return cls._from_token(token)

    def token(self) -> str:
        """The continuation token that stands for this request."""
        condition = [self.filter.field, self.filter.value] if self.filter else None
        text = orjson.dumps([self.offset, self.size, condition])
        return base64.urlsafe_b64encode(text).decode()

    @classmethod
    def _from_token(cls, token: str) -> PageRequest:
        try:
            offset, size, condition = orjson.loads(base64.urlsafe_b64decode(token))
            found = CustomerFilter(*condition) if condition else None
            return cls(found, int(size), int(offset))
        except (ValueError, TypeError) as error:
            raise bad_input(description="The continuation token is invalid.") from error


def page_body(source: Source, wanted: PageRequest) -> bytes:
    """Make one page of the list, BOM included."""
    found = list(source.customers.values())
    if wanted.filter is not None:
        found = [customer for customer in found if wanted.filter.takes(customer)]
    end = wanted.offset + wanted.size
    items = [source.list_item(customer) for customer in found[wanted.offset : end]]
    links: dict[str, object] = {"self": _link(wanted, 0)}
    head = {"totalCount": max(0, len(items) - 1)}
    tail: dict[str, object] = {"links": links, "attributes": {"objectType": "Collection"}}
    if end < len(found):
        following = PageRequest(wanted.filter, wanted.size, end)
        links["next"] = _link(following, end // wanted.size)
        tail["continuationToken"] = following.token()
    return b"".join(
        (
            BOM,
            orjson.dumps(head)[:-1],
            b',"items":[',
            b",".join(items),
            b"],",
            orjson.dumps(tail)[1:],
        )
    )


def _link(wanted: PageRequest, page: int) -> dict[str, object]:
    uri = f"{'/v1' if page % 2 == 0 else ''}/customers?size={wanted.size}"
    if wanted.filter is not None:
        uri += f"&filter={wanted.filter.text()}"
    if not wanted.offset:
        return {"uri": uri, "method": "GET", "headers": []}
    header = {"key": "MS-ContinuationToken", "value": wanted.token()}
    return {"uri": f"{uri}&seekOperation=Next", "method": "GET", "headers": [header]}
