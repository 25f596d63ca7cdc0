"""Account endpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.bss import errors
from sandbox.bss.calls import JSON, JSON_PATCH, json_body, number
from sandbox.bss.odata import ordered, parse_filter
from sandbox.bss.paging import page_body
from sandbox.bss.patch import apply_patch
from sandbox.bss.validation import Validator
from sandbox.wire import json_response, raw_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.bss.calls import Gate
    from sandbox.bss.models import Account
    from sandbox.bss.odata import Row, Value
    from sandbox.bss.organisation import Organisation
    from sandbox.bss.read_model import ReadModel

_FILTERABLE: Mapping[str, type] = {
    "id": int,
    "name": str,
    "code": str,
    "phone": str,
    "email": str,
    "orderingEnabled": bool,
    "billToAccountId": int,
    "separateInvoices": bool,
    "taxable": bool,
    "creditLimit": int,
    "autoInvoiceNotification": bool,
    "resellingEnabled": bool,
    "createdAt": datetime,
    "updatedAt": datetime,
}
_ORDERABLE = ("name", "code", "email", "creditLimit", "createdAt", "updatedAt")
_CREATE_ERROR, _UPDATE_ERROR = "AccountNotCreatedError", "AccountNotUpdatedError"


class Accounts:
    """The endpoints under ``/api/accounts``."""

    def __init__(
        self,
        gate: Gate,
        readers: Mapping[str, ReadModel],
        *,
        accepts_owner_fields: bool,
        requires_ordering_fields: bool,
    ) -> None:
        """Take what lets calls in and what renders answers, by organisation."""
        self._gate = gate
        self._readers = readers
        self._accepts_owner_fields = accepts_owner_fields
        self._requires_ordering_fields = requires_ordering_fields

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        one = "/api/accounts/{id}"
        fields = f"{one}/customfields"
        return [
            web.get("/api/accounts", self.list, name="accounts.list"),
            web.post("/api/accounts", self.create, name="accounts.create"),
            web.get(one, self.get, name="accounts.get"),
            web.patch(one, self.patch, name="accounts.patch"),
            web.get(f"{one}/billingaddress", self.address, name="accounts.billing_address"),
            web.get(fields, self.custom_fields, name="accounts.custom_fields.get"),
            web.put(fields, self.put_custom_fields, name="accounts.custom_fields.put"),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer a page of accounts."""
        organisation = self._gate.enter(request)
        accounts = _selected(organisation, request.query)
        reader = self._readers[organisation.setup.key]
        has_fields = _has_custom_fields(request)
        body = page_body(
            request.url, accounts, lambda a: reader.account(a, has_custom_fields=has_fields)
        )
        return raw_response(body)

    async def create(self, request: web.Request) -> web.Response:
        """Create an account and answer it."""
        organisation = self._gate.enter(request)
        body = await json_body(request, JSON, _CREATE_ERROR)
        validator = self._validator(organisation, _CREATE_ERROR)
        fields: dict[int, str] = {}
        if isinstance(body, dict) and body.get("customFields") is not None:
            fields = validator.custom_fields(body["customFields"])
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name != "customFields"}
        values = validator.account(body)
        if self._requires_ordering_fields:
            validator.require_ordering_fields(values)
        account = organisation.create_account(values, fields)
        return self._answer(organisation, account, request, status=201)

    async def get(self, request: web.Request) -> web.Response:
        """Answer an account."""
        organisation = self._gate.enter(request)
        return self._answer(organisation, find(organisation, request), request)

    async def patch(self, request: web.Request) -> web.Response:
        """Change an account and answer it."""
        organisation = self._gate.enter(request)
        account = find(organisation, request)
        body = await json_body(request, JSON_PATCH, _UPDATE_ERROR)
        validator = self._validator(organisation, _UPDATE_ERROR)
        values, patched = apply_patch(account.values, body, _UPDATE_ERROR)
        fields = account.custom_fields | validator.custom_fields(patched)
        account = organisation.update_account(account, validator.account(values), fields)
        return self._answer(organisation, account, request)

    async def address(self, request: web.Request) -> web.Response:
        """Answer the billing address."""
        organisation = self._gate.enter(request)
        account = find(organisation, request)
        return json_response(self._readers[organisation.setup.key].address(account))

    async def custom_fields(self, request: web.Request) -> web.Response:
        """Answer the custom fields."""
        organisation = self._gate.enter(request)
        account = find(organisation, request)
        return json_response(self._readers[organisation.setup.key].custom_fields(account))

    async def put_custom_fields(self, request: web.Request) -> web.Response:
        """Set the custom fields named, leave the others, answer all."""
        organisation = self._gate.enter(request)
        account = find(organisation, request)
        body = await json_body(request, JSON, _UPDATE_ERROR)
        changed = self._validator(organisation, _UPDATE_ERROR).custom_fields(body)
        fields = account.custom_fields | changed
        account = organisation.update_account(account, account.values, fields)
        return json_response(self._readers[organisation.setup.key].custom_fields(account))

    def _validator(self, organisation: Organisation, error: str) -> Validator:
        return Validator(organisation, error, self._accepts_owner_fields)

    def _answer(
        self,
        organisation: Organisation,
        account: Account,
        request: web.Request,
        status: int = 200,
    ) -> web.Response:
        reader = self._readers[organisation.setup.key]
        body = reader.account(account, has_custom_fields=_has_custom_fields(request))
        return raw_response(body, status)


def find(organisation: Organisation, request: web.Request) -> Account:
    """Find the account of the path.

    Raises:
        WireError: 404 when there is none.
    """
    account = organisation.accounts.get(number(request, "id", "Account"))
    if account is None:
        raise errors.not_found(entity="Account", value=request.match_info["id"])
    return account


def _has_custom_fields(request: web.Request) -> bool:
    return "customfields" in request.query.get("include", "").lower().split(",")


def _selected(organisation: Organisation, query: Mapping[str, str]) -> list[Account]:
    accounts = list(organisation.accounts.values())
    if "$filter" in query:
        condition = parse_filter(query["$filter"], _FILTERABLE)
        name = condition.equals.get("name")
        if isinstance(name, str):
            accounts = list(organisation.accounts_named(name))
        accounts = [account for account in accounts if condition.takes(_row(account))]
    since = query.get("minBillingAddressUpdatedAt")
    if since:
        earliest = _instant(since)
        accounts = [account for account in accounts if account.address_updated_at >= earliest]
    order = query.get("$orderBy", query.get("$orderby"))
    return ordered(accounts, order, _ORDERABLE, _row) if order else accounts


def _row(account: Account) -> Row:
    own: dict[str, Value] = {
        "id": account.id,
        "code": f"AC-{account.id} ",
        "createdAt": account.created_at,
        "updatedAt": account.updated_at,
    }
    return lambda name: own[name] if name in own else account.values.get(name)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.bad_parameter(name="minBillingAddressUpdatedAt") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
