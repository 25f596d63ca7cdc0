"""The calls to Partner Center that the import makes, each with its limiter and its shape check.

Only reads, also with the one POST. Bodies are turned into small values at once; nothing here decides what they mean for
the import.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import uuid
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from customer_import.errors import RejectedRequestError
from customer_import.failpoints import reached
from customer_import.http.reader import read_json
from customer_import.partner_center.audit import AuditRecord, parse_record
from customer_import.partner_center.clouds import Cloud
from customer_import.partner_center.error_body import not_a_provider, run_ending_error
from customer_import.partner_center.flatten import FlatCustomer, flatten_customer
from customer_import.partner_center.limits import Limits
from customer_import.partner_center.models import (
    MAX_MPN_ID,
    MAX_OFFER_NAME,
    CountryRules,
    ListedTenant,
    Peek,
    Reseller,
    Subscription,
    day_of,
    domain_of,
    text_of,
    text_or_number,
)
from customer_import.partner_center.paging import Item, Link, Page, list_pages, parse_page
from customer_import.text import MAX_TEXT, trim

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import date

    from customer_import.config.instances import PartnerCenterConfig
    from customer_import.http.limiter import Limiter
    from customer_import.http.session import ApiSession

log = logging.getLogger(__name__)

Value = TypeVar("Value")

_MAX_ID_LENGTH = 64
_MAX_RELATIONSHIP = 50
_WITHOUT_ID = "no id"
_UNKNOWN = "unknown"
_CUSTOMERS = "/v1/customers"
_CUSTOMER = "/v1/customers/{id}"
SUBSCRIPTIONS = "/v1/customers/{id}/subscriptions"
_RELATIONSHIPS = "/v1/relationships"
_COUNTRY_RULES = "/v1/countryvalidationrules/{iso2}"
_AUDIT_RECORDS = "/v1/auditrecords"
_VALIDATE_RESELLERS = "/v1/partners/validateresellers"
_AUDIT_PAGE_SIZE = 500
_VALIDATE_MFA = (("ValidateMfa", "true"),)
_MPN_IDS = (str, int, type(None))
_MFA_ANSWERS = {"true": True, "false": False}


class PartnerCenterClient:
    """Reads one partner's customers, subscriptions and resellers.

    Every method raises ``AuthenticationError`` when token or role are refused,
    ``RejectedRequestError`` on another 4xx and ``RetriableError`` when there is no usable answer
    after the last try.

    Args:
        session: An open session.
        config: Page size and budgets of the instance.
        limits: Limiters that other imports of the partner tenant know of; by default there are none.
        cloud: Which of Microsoft's clouds answers.
    """

    def __init__(
        self,
        session: ApiSession,
        config: PartnerCenterConfig,
        limits: Limits | None = None,
        cloud: Cloud = Cloud.GLOBAL,
    ) -> None:
        self.cloud = cloud
        self._session = session
        self._page_size = config.page_size
        # Microsoft counts per resource (docs/api/partner-center.md section 10); the list is customers too.
        limits = limits or Limits.of(config)
        self._customers = limits.customers
        self._subscriptions = limits.subscriptions

    @property
    def requests(self) -> int:
        """Requests sent so far, repeated ones included."""
        return self._session.requests

    async def resellers(self) -> tuple[Reseller, ...]:
        """List the indirect resellers of this provider; needs App+User.

        Raises:
            ConfigurationError: The partner is not an indirect provider.
        """
        path = f"{_RELATIONSHIPS}?relationship_type=IsIndirectCloudSolutionProviderOf"
        try:
            pages = [page async for page in self._pages(path, _RELATIONSHIPS, None, _reseller_key)]
        except RejectedRequestError as error:
            if (in_words := not_a_provider(error)) is not None:
                raise in_words from error
            raise
        return tuple(_parse_resellers(item for page in pages for item in page))

    async def tenants(self, reseller_id: str | None = None) -> AsyncIterator[list[ListedTenant]]:
        """List customers page by page, each once.

        Args:
            reseller_id: Only customers that have a relationship with the reseller of this tenant
                id; needs App+User.
        """
        query = {"size": str(self._page_size)}
        if reseller_id is not None:
            condition = {
                "Field": "IndirectReseller",
                "Value": reseller_id,
                "Operator": "starts_with",
            }
            query = {"size": "0", "filter": json.dumps(condition, separators=(",", ":"))}
        path = f"{_CUSTOMERS}?{urlencode(query, quote_via=quote)}"
        async for page in self._pages(path, _CUSTOMERS, self._customers, _tenant_key):
            tenants = [_parse_tenant(item) for item in page]
            nameless = sum(tenant.tenant_id.startswith(_WITHOUT_ID) for tenant in tenants)
            if nameless:
                log.warning(
                    "%s items of the customer list have no usable id and cannot be imported",
                    nameless,
                )
            yield tenants

    async def peek(self, *, validates_mfa: bool) -> Peek:
        """Read one customer, to see that it can be done.

        Args:
            validates_mfa: Ask whether the token proves multi-factor authentication
                (docs/api/partner-center.md section 3.3); only App+User tokens have to.
        """
        told: list[str | None] = []
        page = await self._read(
            Link(f"{_CUSTOMERS}?size=1", _VALIDATE_MFA if validates_mfa else ()),
            _CUSTOMERS,
            parse_page,
            self._customers,
            lambda headers: told.append(headers.get("isMfaCompliant")),
        )
        is_compliant = _MFA_ANSWERS.get((told[-1] or "").strip().lower())
        return Peek(bool(page.items), is_compliant if validates_mfa else None)

    async def subscriptions(self, tenant_id: str) -> tuple[Subscription, ...]:
        """Read all subscriptions of a customer, of any status."""
        path = SUBSCRIPTIONS.format(id=quote(tenant_id, safe=""))
        page = await self._read(
            Link(path), SUBSCRIPTIONS, _parse_subscriptions, self._subscriptions
        )
        items = list(page.items)
        if page.next is not None:  # documented as one page
            pages = self._pages(
                path, SUBSCRIPTIONS, self._subscriptions, _subscription_key, _parse_subscriptions
            )
            items = [item async for page_items in pages for item in page_items]
        return tuple(map(_parse_subscription, items))

    async def customer(self, tenant_id: str, paths: tuple[str, ...]) -> FlatCustomer:
        """Read a customer with both profiles.

        Args:
            tenant_id: The customer.
            paths: What to take of the body, as dotted paths.
        """
        return await self._read(
            Link(_CUSTOMER.format(id=quote(tenant_id, safe=""))),
            _CUSTOMER,
            partial(flatten_customer, paths=paths, tenant_id=tenant_id),
            self._customers,
        )

    async def country_rules(self, iso2: str) -> CountryRules:
        """Read the address rules of a country."""
        path = _COUNTRY_RULES.format(iso2=quote(iso2, safe=""))
        parse = partial(_parse_country_rules, iso2=iso2)
        return await self._read(Link(path), _COUNTRY_RULES, parse, None)

    async def validate_resellers(self, mpn_ids: Sequence[str]) -> dict[str, bool]:
        """Ask which MPN ids are an authorised reseller's (docs/api/partner-center.md section 7).

        Returns:
            MPN id to whether it is one; ids of which nothing is said are left out.
        """
        return await self._session.write(
            "POST",
            _VALIDATE_RESELLERS,
            endpoint=_VALIDATE_RESELLERS,
            json={"partnerIds": list(mpn_ids)},
            parse=_parse_validations,
            is_idempotent=True,
            headers={"MS-RequestId": _new_request_id()},
        )

    async def audit_records(self, start: date, end: date) -> AsyncIterator[list[AuditRecord]]:
        """List audit records page by page (docs/api/partner-center.md section 11); they name no values.

        Args:
            start: First day, at most 90 days back.
            end: Last day.
        """
        days = {"startDate": start.isoformat(), "endDate": end.isoformat()}
        path = f"{_AUDIT_RECORDS}?{urlencode(days | {'size': str(_AUDIT_PAGE_SIZE)})}"
        async for page in self._pages(path, _AUDIT_RECORDS, None, lambda _: None):
            yield [record for item in page if (record := parse_record(item)) is not None]

    async def _pages(
        self,
        path: str,
        endpoint: str,
        limiter: Limiter | None,
        identify: Callable[[Item], str | None],
        parse: Callable[[bytes], Page] = parse_page,
    ) -> AsyncIterator[list[Item]]:
        async def read_page(link: Link) -> Page:
            reached("before_page")
            return await self._read(link, endpoint, parse, limiter)

        async for page in list_pages(read_page, path, identify=identify):
            yield page

    async def _read(
        self,
        link: Link,
        endpoint: str,
        parse: Callable[[bytes], Value],
        limiter: Limiter | None,
        on_headers: Callable[[Mapping[str, str]], None] | None = None,
    ) -> Value:
        # One request id for all tries of a call: docs/api/partner-center.md section 4.
        headers = {**dict(link.headers), "MS-RequestId": _new_request_id()}
        try:
            return await self._session.read(
                link.path,
                endpoint=endpoint,
                parse=parse,
                headers=headers,
                limiter=limiter,
                on_headers=on_headers,
            )
        except RejectedRequestError as error:
            if (in_words := run_ending_error(error)) is not None:
                raise in_words from error
            raise


def _new_request_id() -> str:
    """Draw a GUID; the system's source of secrets would cost more than all other headers."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _reseller_key(item: Item) -> str | None:
    return f"{item.get('id')}/{item.get('mpnId')}".lower()


def _tenant_key(item: Item) -> str:
    """Return the tenant's id, lower-cased; one that is too long for an id is cut and told apart by a hash.

    An item without an id is known by its profile's, else by a hash: it is somebody, who must not go without a result.
    """
    profile = item.get("companyProfile")
    told = (item.get("id"), profile.get("tenantId") if isinstance(profile, dict) else None)
    key = next((key for value in told if (key := (text_of(value, MAX_TEXT) or "").lower())), "")
    if not key:
        return f"{_WITHOUT_ID}~{_digest(json.dumps([item.get('id'), profile], sort_keys=True))}"
    if len(key) > _MAX_ID_LENGTH:
        digest = _digest(key)
        key = f"{key[: _MAX_ID_LENGTH - len(digest) - 1]}~{digest}"
    return key


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _subscription_key(item: Item) -> str | None:
    return text_of(item.get("id"))


def _parse_resellers(items: Iterable[Item]) -> list[Reseller]:
    resellers = []
    for item in items:
        try:
            resellers.append(Reseller.model_validate(item))
        except ValidationError:
            log.warning("A reseller without a usable id is left out")
    return resellers


def _parse_tenant(item: Item) -> ListedTenant:
    profile = item.get("companyProfile")
    profile = profile if isinstance(profile, dict) else {}
    told = item.get("relationshipToPartner")
    relationship = text_of(told, _MAX_RELATIONSHIP)
    if relationship is None and told is not None and not isinstance(told, str):
        relationship = (
            text_or_number(told) or _UNKNOWN
        )  # said, in a way that is not known: not "reseller"
    return ListedTenant(
        tenant_id=_tenant_key(item),
        name=text_of(profile.get("companyName")),
        domain=domain_of(profile.get("domain")),
        relationship=relationship.lower()[:_MAX_RELATIONSHIP] if relationship else None,
    )


def _parse_subscription(item: Item) -> Subscription:
    partner_id = text_or_number(item.get("partnerId"))
    is_renewed = item.get("autoRenewEnabled")
    return Subscription(
        id=(text_or_number(item.get("id")) or "")[:_MAX_ID_LENGTH],
        status=(text_of(item.get("status")) or "").lower()[:_MAX_ID_LENGTH],
        partner_id=partner_id[:MAX_MPN_ID] if partner_id else None,
        name=text_of(item.get("offerName"), MAX_OFFER_NAME),
        ends_on=day_of(item.get("commitmentEndDate")),
        is_renewed=is_renewed if isinstance(is_renewed, bool) else None,
    )


def _parse_subscriptions(body: bytes) -> Page:
    """Read a page of subscriptions.

    Raises:
        ValueError: As ``parse_page``, or a ``partnerId`` is neither text nor number: then nobody knows whose.
    """
    page = parse_page(body)
    if not all(type(item.get("partnerId")) in _MPN_IDS for item in page.items):
        message = "items.partnerId: not a text"
        raise ValueError(message)
    return page


def _parse_validations(body: bytes) -> dict[str, bool]:
    """Read what is legible; nothing depends on it."""
    content = read_json(body)
    results = content.get("validationResults") if isinstance(content, dict) else None
    return {
        mpn_id: is_valid
        for item in (results if isinstance(results, list) else ())
        if isinstance(item, dict)
        and (mpn_id := text_or_number(item.get("partnerId"))) is not None
        and isinstance(is_valid := item.get("isValidPartnerIdOnRecord"), bool)
    }


def _parse_country_rules(body: bytes, iso2: str) -> CountryRules:
    rules = CountryRules.model_validate(read_json(body))  # its ValidationError is a ValueError
    if trim(rules.iso2_code).upper() != iso2:
        message = "iso2Code: not the country that was asked for"
        raise ValueError(message)
    return rules
