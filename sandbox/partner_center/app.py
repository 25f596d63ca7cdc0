"""The endpoints of Partner Center that an importer reads.

Success bodies start with a BOM, refusals do not. Which token a call takes, what is throttled and
how a refusal looks follow Microsoft's documentation and recorded answers; nothing can be written
here, edits come through the control API. The one POST asks a question.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from sandbox.clouds import API_HOSTS, WITHOUT_AUDIT_RECORDS
from sandbox.edge import Service
from sandbox.faults import FaultKind, FaultRule
from sandbox.partner_center import errors
from sandbox.partner_center.audit import audit_body
from sandbox.partner_center.country_rules import rules_body
from sandbox.partner_center.customers import PageRequest, page_body
from sandbox.partner_center.resellers import validation_body
from sandbox.population.models import Access
from sandbox.throttle import Throttle
from sandbox.tokens import Claims, TokenIssuer, TokenKind
from sandbox.wire import BOM, SENT, WireError, quotation, raw_response

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable

    from sandbox.bodies import ServedBodies
    from sandbox.config import SandboxConfig
    from sandbox.partner_center.source import Source
    from sandbox.population.models import Customer, Json

    Handler = Callable[[web.Request], Awaitable[web.Response]]

_TOKEN_KINDS = frozenset({TokenKind.APP_ONLY, TokenKind.APP_USER})
_SERVED_429_WAIT_S = 1


class PartnerCenter:
    """Partner Center for one partner tenant."""

    def __init__(
        self,
        source: Source,
        issuer: TokenIssuer,
        config: SandboxConfig,
        *,
        partner_tenant_id: str,
        refusals: Counter[str],
        served: ServedBodies | None = None,
    ) -> None:
        """Take the data, the token issuer and the behaviour asked for."""
        self._source = source
        self._issuer = issuer
        self._partner_tenant_id = partner_tenant_id
        self._has_audit_records = config.cloud not in WITHOUT_AUDIT_RECORDS
        self._is_indirect_provider = config.is_indirect_provider
        self._refusals = refusals
        self._served = served
        self._throttle_body = served.throttled if served else None
        limit = config.rate_limit
        self.throttles = {
            resource: Throttle(limit, time.monotonic) if limit else None
            for resource in ("customers", "subscriptions")
        }
        self.service = Service(
            "partner_center",
            unknown_path=lambda _: errors.refused(404, 3000, "Not found", is_violation=True),
            faulty=self._faulty,
            refused=self._refused,
            echo=self._echo,
        )

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        one = "/v1/customers/{id}"
        table: tuple[tuple[str, str, Handler], ...] = (
            ("/v1/customers", "customers.list", self.customers),
            (one, "customers.get", self.customer),
            (f"{one}/profiles/billing", "customers.billing_profile", self.billing_profile),
            (f"{one}/profiles/company", "customers.company_profile", self.company_profile),
            (f"{one}/relationships", "customers.relationships", self.customer_relationships),
            (f"{one}/subscriptions", "customers.subscriptions", self.subscriptions),
            ("/v1/relationships", "relationships.list", self.relationships),
            ("/v1/profiles/organization", "profiles.organization", self.organization),
            ("/v1/profiles/mpn", "profiles.mpn", self.mpn),
            ("/v1/countryvalidationrules/{iso}", "country_rules", self.country_rules),
            ("/v1/auditrecords", "audit_records", self.audit_records),
        )
        return [
            *(web.get(path, handler, name=name) for path, name, handler in table),
            web.post(
                "/v1/partners/validateresellers",
                self.validate_resellers,
                name="partners.validate_resellers",
            ),
        ]

    async def customers(self, request: web.Request) -> web.Response:
        """Answer a page of the thin customer list."""
        self._authorize(request)
        wanted = PageRequest.of(request.query, request.headers.get("MS-ContinuationToken"))
        if wanted.filter is not None and wanted.filter.field == "IndirectReseller":
            self._authorize_provider(request)
        return raw_response(page_body(self._source, wanted))

    async def customer(self, request: web.Request) -> web.Response:
        """Answer one customer with both profiles."""
        self._authorize(request)
        self._throttle("customers", request)
        return raw_response(self._source.body(self._readable(request)))

    async def billing_profile(self, request: web.Request) -> web.Response:
        """Answer the billing profile; 404 when the customer has none."""
        self._authorize(request)
        self._throttle("customers", request)
        profile = self._readable(request).document.get("billingProfile")
        if profile is None:
            raise errors.gone()
        return _success(profile)

    async def company_profile(self, request: web.Request) -> web.Response:
        """Answer the company profile."""
        self._authorize(request, needs_user=True)
        self._throttle("customers", request)
        return _success(self._source.shown(self._readable(request))["companyProfile"])

    async def subscriptions(self, request: web.Request) -> web.Response:
        """Answer all subscriptions, or those with the MPN ID asked for."""
        self._authorize(request)
        self._throttle("subscriptions", request)
        customer = self._readable(request)
        mpn_id = request.query.get("mpn_id")
        if customer.raw_subscriptions is not None and mpn_id is None:
            return raw_response(customer.raw_subscriptions)
        items = [
            item
            for item in customer.subscriptions
            if mpn_id is None or str(item.get("partnerId", "")).strip() == mpn_id.strip()
        ]
        return _collection(items)

    async def customer_relationships(self, request: web.Request) -> web.Response:
        """Answer the resellers of one customer."""
        self._authorize_provider(request)
        customer = self._readable(request)
        resellers = self._source.resellers
        items = [
            resellers[reseller.lower()].item(is_of_one_customer=True)
            for reseller in customer.reseller_ids
            if reseller.lower() in resellers
        ]
        return _collection(items)

    async def relationships(self, request: web.Request) -> web.Response:
        """Answer all resellers of the partner."""
        self._authorize_provider(request)
        kind = request.query.get("relationship_type", "")
        if kind.lower() != "isindirectcloudsolutionproviderof":
            raise errors.bad_input(
                description="relationship_type is not supported for this partner."
            )
        return _collection([reseller.item() for reseller in self._source.resellers.values()])

    async def organization(self, request: web.Request) -> web.Response:
        """Answer the partner's own profile."""
        self._authorize(request, needs_user=True)
        return _success(
            {
                "id": self._partner_tenant_id,
                "companyName": "Sandbox Provider",
                "tenantId": self._partner_tenant_id,
                "domain": "sandboxprovider.onmicrosoft.com",
                "defaultAddress": {"country": "GR", "city": "Αθήνα", "postalCode": "10563"},
                "culture": "en-US",
                "language": "en",
                "attributes": {"objectType": "OrganizationProfile"},
            }
        )

    async def mpn(self, request: web.Request) -> web.Response:
        """Answer the name behind an MPN ID."""
        self._authorize(request, needs_user=True)
        mpn_id = request.query.get("mpnId", "4390934").strip()
        names = {r.mpn_id: r.name for r in self._source.resellers.values()}
        names.setdefault("4390934", "Sandbox Provider")
        if mpn_id not in names:
            if self._served and self._served.mpn_not_found:
                raise WireError(404, self._served.mpn_not_found, reason="404/3000")
            text = f"Partner Organization with partner_id {mpn_id} could not be found"
            raise errors.refused(404, 3000, text)
        return _success(
            {
                "mpnId": mpn_id,
                "partnerName": names[mpn_id],
                "profileType": "mpn_profile",
                "attributes": {"objectType": "MpnProfile"},
            }
        )

    async def validate_resellers(self, request: web.Request) -> web.Response:
        """Answer which partner ids belong to authorised resellers."""
        self._authorize(request)
        return raw_response(validation_body(self._source, request[SENT]))

    async def country_rules(self, request: web.Request) -> web.Response:
        """Answer the validation rules of a country."""
        self._authorize(request)
        iso_code = request.match_info["iso"].upper()
        body = (self._served and self._served.country_rules.get(iso_code)) or rules_body(iso_code)
        if body is None:
            raise errors.refused(404, 3000, "The country is not supported.")
        return raw_response(body)

    async def audit_records(self, request: web.Request) -> web.Response:
        """Answer a page of audit records."""
        self._authorize(request)
        if not self._has_audit_records:
            raise errors.refused(404, 3000, "Not found", is_violation=True)
        token = request.headers.get("MS-ContinuationToken")
        return raw_response(audit_body(self._source.audit, request.query, token))

    def _claims(self, request: web.Request) -> Claims | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self._issuer.read(token) if scheme == "Bearer" else None

    def _authorize(self, request: web.Request, *, needs_user: bool = False) -> None:
        claims = self._claims(request)
        if claims is None or claims.kind not in _TOKEN_KINDS or not self._issuer.is_live(claims):
            raise errors.unauthorized(self._partner_tenant_id)
        if request.url.host in API_HOSTS and claims.audience != f"https://{request.url.host}":
            raise errors.wrong_audience()
        if not claims.has_role:
            raise errors.role_needed()
        if needs_user and claims.kind is TokenKind.APP_ONLY:
            raise errors.user_needed()

    def _authorize_provider(self, request: web.Request) -> None:
        self._authorize(request, needs_user=True)
        if not self._is_indirect_provider:
            raise errors.not_a_provider()

    def _throttle(self, resource: str, request: web.Request) -> None:
        throttle = self.throttles[resource]
        wait_s = throttle.wait_s() if throttle else 0
        if not wait_s and self._throttle_body and self._served:
            # A served 429 body answers even without a limit: once, for a served customer.
            is_served = request.match_info["id"].lower() in self._served.customers
            wait_s = _SERVED_429_WAIT_S if is_served else 0
        if wait_s:
            body, self._throttle_body = self._throttle_body, None
            raise errors.throttled(wait_s, body)

    def _readable(self, request: web.Request) -> Customer:
        """Find the customer of the path, or refuse as for one that left or is gone."""
        customer = self._source.customers.get(request.match_info["id"].lower())
        if customer is None or customer.access is Access.GONE:
            raise errors.gone()
        if customer.access is Access.LEFT:
            if customer.raw_refusal is not None:
                raise WireError(403, customer.raw_refusal, reason="403/20002")
            raise errors.left()
        return customer

    def _faulty(self, rule: FaultRule, request: web.Request) -> WireError:
        match rule.kind:
            case FaultKind.THROTTLE:
                return errors.throttled(rule.retry_after_s)
            case FaultKind.UNAUTHORIZED:
                return errors.unauthorized(self._partner_tenant_id)
            case FaultKind.MFA_REQUIRED:
                return errors.mfa_needed()
            case FaultKind.QUOTE:
                return errors.refused(rule.status, 3000, quotation(request))
            case _:
                return errors.refused(rule.status, rule.status, "The service is unavailable.")

    def _refused(self, _: web.Request, endpoint: str, error: WireError) -> None:
        name = "violation" if error.is_violation else "refusal"
        self._refusals[f"{name} {endpoint} {error.reason}"] += 1

    def _echo(self, request: web.Request) -> dict[str, str]:
        headers = request.headers
        echoed = {
            name: sent if _is_header(sent := headers.get(name, "")) else str(uuid.uuid4())
            for name in ("MS-RequestId", "MS-CorrelationId")
        }
        claims = self._claims(request)
        is_asked = headers.get("ValidateMfa", "").lower() == "true"
        if is_asked and claims is not None and claims.kind is TokenKind.APP_USER:
            echoed["isMfaCompliant"] = str(claims.has_mfa).lower()
        return echoed


def _is_header(text: str) -> bool:
    """Whether a text can be a header's value in an answer."""
    return bool(text) and text.isascii() and text.isprintable()


def _success(value: object) -> web.Response:
    return raw_response(BOM + orjson.dumps(value))


def _collection(items: list[Json]) -> web.Response:
    return _success(
        {"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}}
    )
