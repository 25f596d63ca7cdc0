"""The BSS API as typed calls, one per endpoint that the import uses (docs/api/bss.md section 2.4).

Every call is one request, lists one request a page. What an answer means for a customer is the caller's business.
``synchronizations`` is left out on purpose: it would provision the tenant again. Nobody is made a storefront
user and no password is ever sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from customer_import.bss.models import (
    Account,
    Contact,
    Country,
    CustomFieldDefinition,
    ExternalSystem,
    Json,
    PermissionRule,
    State,
    SyncOption,
    User,
)
from customer_import.bss.query import equals, greater
from customer_import.errors import EndlessListError, RejectedRequestError, RetriableError
from customer_import.http.reader import positive_id, read_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from customer_import.bss.patch import Difference
    from customer_import.http.limiter import Limiter
    from customer_import.http.session import ApiSession, Settle

    OnTurn = Callable[[], Awaitable[None]]

Value = TypeVar("Value")
Record = TypeVar("Record", Account, Contact)

PAGE_SIZE = 500
MAX_PAGES = 10_000
"""Of a list that does not say how long it is."""
MAX_NAME = 1_000
_SPARE_PAGES = 10
MAX_READINGS = 3
"""Of a list that gives fewer records than it says that it has."""
PATCH_TYPE = "application/json-patch+json"
_NOT_FOUND = 404


class BssClient:
    """Calls one BSS organisation.

    Errors of every call: ``AuthenticationError``, ``RetriableError`` (also after the session's own tries),
    ``RejectedRequestError``; of a create also ``AmbiguousWriteError``.

    Args:
        session: An open session.
        limiter: Limits all requests together; ``None`` when the BSS may be asked as fast as the session allows.
    """

    def __init__(self, session: ApiSession, limiter: Limiter | None = None) -> None:
        self._session = session
        self._limiter = limiter

    @property
    def requests(self) -> int:
        """Requests sent by the session so far."""
        return self._session.requests

    def accounts(self) -> AsyncIterator[list[Account]]:
        """Yield all accounts with their custom fields, page by page, oldest first; some of them perhaps twice."""
        params = {"include": "customFields", "$orderBy": "createdAt asc"}
        return self._whole("/api/accounts", _account, params)

    def accounts_after(self, account_id: int) -> AsyncIterator[list[Account]]:
        """Yield the accounts made after this one with their custom fields, page by page; numbers only go up."""
        params = {
            "include": "customFields",
            "$orderBy": "createdAt asc",
            "$filter": greater("id", account_id),
        }
        return self._pages("/api/accounts", _account, params)

    async def accounts_named(self, name: str) -> list[Account]:
        """Return the accounts of that name with their custom fields; whether case matters is the BSS's decision."""
        params = {"include": "customFields", "$filter": equals("name", name)}
        return await self._all("/api/accounts", _account, params)

    async def account(self, account_id: int) -> Account | None:
        """Return an account with its custom fields; ``None`` when it does not exist."""

        def read_account(body: bytes) -> Account:
            found = _account(read_json(body))
            if found.id != account_id:
                message = "the answer is about another account"
                raise ValueError(message)
            return found

        try:
            return await self._session.read(
                f"/api/accounts/{account_id}",
                endpoint="/api/accounts/{id}",
                parse=_malformed_as_value_error(read_account),
                params={"include": "customFields"},
                limiter=self._limiter,
            )
        except RejectedRequestError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def create_account(
        self, body: Json, on_turn: OnTurn | None = None, settle: Settle[int] | None = None
    ) -> int:
        """Create an account and return its id; ``on_turn`` and ``settle`` as for ``ApiSession.write``."""
        return await self._create("/api/accounts", body, on_turn, settle)

    async def update_account(
        self, account_id: int, difference: Difference, on_turn: OnTurn | None = None
    ) -> None:
        """Patch an account; the patch only sets values, so sending it twice does no harm."""
        await self._patch(f"/api/accounts/{account_id}", "/api/accounts/{id}", difference, on_turn)

    async def set_custom_field(
        self, account_id: int, field_id: int, value: str, on_turn: OnTurn | None = None
    ) -> None:
        """Set one custom field of an account; others stay."""
        await self._session.write(
            "PUT",
            f"/api/accounts/{account_id}/customfields",
            endpoint="/api/accounts/{id}/customfields",
            json=[{"id": field_id, "value": value}],
            parse=_nothing,
            is_idempotent=True,
            limiter=self._limiter,
            on_turn=on_turn,
        )

    def all_contacts(self) -> AsyncIterator[list[Contact]]:
        """Yield the contacts of all accounts, page by page, in the BSS's order; some of them perhaps twice."""
        return self._whole("/api/contacts", _contact, {})

    async def contacts(self, account_id: int) -> list[Contact]:
        """Return the contacts of an account; those of others, which a BSS that knows no such filter gives, are none."""
        params = {"$filter": equals("accountId", account_id)}
        found = {
            contact.id: contact
            async for page in self._pages("/api/contacts", _owned_contact, params)
            for contact in page
        }
        return [contact for contact in found.values() if contact.account_id == account_id]

    async def create_contact(
        self, body: Json, on_turn: OnTurn | None = None, settle: Settle[int] | None = None
    ) -> int:
        """Create a contact and return its id; ``on_turn`` and ``settle`` as for ``ApiSession.write``."""
        return await self._create("/api/contacts", body, on_turn, settle)

    async def update_contact(
        self, contact_id: int, difference: Difference, on_turn: OnTurn | None = None
    ) -> None:
        """Patch a contact."""
        await self._patch(f"/api/contacts/{contact_id}", "/api/contacts/{id}", difference, on_turn)

    async def sync_options(self, account_id: int, system_id: int) -> list[SyncOption]:
        """Return the options of one external system on an account."""
        return await self._session.read(
            f"/api/accounts/{account_id}/syncoptions/{system_id}",
            endpoint="/api/accounts/{id}/syncoptions/{systemId}",
            parse=lambda body: _sync_options(read_json(body), system_id),
            limiter=self._limiter,
        )

    async def set_sync_options(
        self,
        account_id: int,
        system_id: int,
        values: Mapping[str, str],
        on_turn: OnTurn | None = None,
    ) -> None:
        """Set the options of an account by alias; others stay, so sending it twice does no harm."""
        await self._session.write(
            "POST",
            f"/api/accounts/{account_id}/syncoptions/{system_id}",
            endpoint="/api/accounts/{id}/syncoptions/{systemId}",
            json=[{"alias": alias, "value": value} for alias, value in values.items()],
            parse=_nothing,
            is_idempotent=True,
            limiter=self._limiter,
            on_turn=on_turn,
        )

    async def countries(self) -> list[Country]:
        """Return the active countries with their active states."""
        found = await self._all("/api/organization/countries", _country, {"include": "states"})
        return [country for country in found if country is not None]

    async def account_custom_fields(self) -> list[CustomFieldDefinition]:
        """Return the custom fields that accounts have."""
        return await self._all("/api/organization/accounts/customfields", _custom_field)

    async def external_systems(self) -> list[ExternalSystem]:
        """Return the systems that accounts can be synchronised with."""
        return await self._all("/api/organization/externalSystems", _external_system)

    async def users(self) -> list[User]:
        """Return the users (assumed endpoint; docs/limits.md)."""
        return await self._all("/api/organization/users", _user)

    async def permission_rules(self) -> list[PermissionRule]:
        """Return the permission rules (assumed endpoint; docs/limits.md)."""
        return await self._all(
            "/api/organization/permissionRules",
            lambda item: PermissionRule(id=positive_id(item["id"]), name=_text(item.get("name"))),
        )

    async def payment_methods(self) -> list[str]:
        """Return the payment methods by name (assumed endpoint; docs/limits.md)."""
        return await self._all(
            "/api/organization/paymentMethods", lambda item: _text(item.get("name"))
        )

    async def _create(
        self, path: str, body: Json, on_turn: OnTurn | None, settle: Settle[int] | None
    ) -> int:
        return await self._session.write(
            "POST",
            path,
            endpoint=path,
            json=body,
            parse=_malformed_as_value_error(_created_id),
            limiter=self._limiter,
            on_turn=on_turn,
            settle=settle,
        )

    async def _patch(
        self, path: str, endpoint: str, difference: Difference, on_turn: OnTurn | None
    ) -> None:
        await self._session.write(
            "PATCH",
            path,
            endpoint=endpoint,
            json=difference.as_json(),
            parse=_nothing,
            is_idempotent=True,
            content_type=PATCH_TYPE,
            limiter=self._limiter,
            on_turn=on_turn,
        )

    async def _all(
        self,
        path: str,
        read: Callable[[Any], Value],
        params: Mapping[str, str] | None = None,
    ) -> list[Value]:
        return [item async for page in self._pages(path, read, params or {}) for item in page]

    async def _whole(
        self, path: str, read: Callable[[Any], Record], params: Mapping[str, str]
    ) -> AsyncIterator[list[Record]]:
        """Yield the pages of a list of all records by which something may be created; again when some are missing.

        Not of a part of them: whether a total counts those that a filter leaves out is nowhere said.

        A record that is deleted while the list is read moves those behind it forward, one of them onto a page that was
        read before.

        Raises:
            RetriableError: The list still gave fewer records than it says that it has.
        """
        for _ in range(MAX_READINGS):
            totals: list[int] = []
            seen: set[int] = set()
            async for page in self._pages(path, read, params, totals.append):
                seen.update(record.id for record in page)
                yield page
            if len(seen) >= max(totals, default=0):
                return
        message = f"the list says that it has {max(totals)} records, and gave {len(seen)}"
        raise RetriableError(message, service=self._session.service, endpoint=f"GET {path}")

    async def _pages(
        self,
        path: str,
        read: Callable[[Any], Value],
        params: Mapping[str, str],
        tell_total: Callable[[int], None] = lambda _: None,
    ) -> AsyncIterator[list[Value]]:
        """Yield pages until the envelope says that there are no more, a page is empty, or a page repeats itself.

        Args:
            path: Of the list.
            read: Reads a record.
            params: Query parameters.
            tell_total: Told by each page how many records the list says that it has.

        Raises:
            EndlessListError: The list has far more pages than its first page says.
        """

        def parse(body: bytes) -> tuple[list[Value], bytes, _End]:
            items, end = _page(read_json(body), index)
            read_items = [read(item) for item in _shaped(items)]
            return read_items, repr(items[:1])[:MAX_NAME].encode(), end

        previous = b""
        limit = MAX_PAGES
        index = 0
        while index < limit:
            index += 1
            items, fingerprint, end = await self._session.read(
                path,
                endpoint=path,
                parse=_malformed_as_value_error(parse),
                params={**params, "pageIndex": str(index), "pageSize": str(PAGE_SIZE)},
                limiter=self._limiter,
            )
            if end.total is not None:
                tell_total(end.total)
            if not items or fingerprint == previous:
                return
            yield items
            if end.is_here:
                return
            if index == 1 and end.pages is not None:
                # Twice as many, because accounts may be added meanwhile.
                limit = min(2 * end.pages + _SPARE_PAGES, MAX_PAGES)
            previous = fingerprint
        message = f"the list does not end: it has more than {limit} pages"
        raise EndlessListError(message, service=self._session.service, endpoint=f"GET {path}")


def _malformed_as_value_error(parse: Callable[[bytes], Value]) -> Callable[[bytes], Value]:
    """Make every way in which a body can have the wrong shape the ``ValueError`` that a session tries again."""

    def checked(body: bytes) -> Value:
        try:
            return parse(body)
        except (KeyError, TypeError, AttributeError) as error:
            message = "the answer has another shape than documented"
            raise ValueError(message) from error

    return checked


class _End(NamedTuple):
    """What a page says of the end of its list: whether it is the last, how many pages and records there are."""

    is_here: bool
    pages: int | None = None
    total: int | None = None


def _page(body: object, index: int) -> tuple[list[Any], _End]:
    """Return the items of a list answer, and what it says of the list's end.

    Version 3 has an envelope whose ``paging`` differs between lists (docs/api/bss.md section 2.3), older
    versions a bare array.
    """
    if isinstance(body, list):
        return body, _End(is_here=True)
    envelope = cast("dict[str, Any]", body)
    paging = envelope.get("paging") or {}
    pages = paging.get("totalPages", paging.get("pageCount"))
    said = paging.get("totalRecords", paging.get("totalCount"))
    total = said if type(said) is int else None
    items = envelope.get("data", []) if said == 0 else envelope["data"]
    if items is None and not said:
        items = []  # how .NET writes an empty list that was never filled
    if type(pages) is int:
        return items, _End(index >= pages, pages, total)
    links = envelope.get("links")
    if isinstance(links, dict) and "next" in links:
        return items, _End(links["next"] is None, total=total)
    return items, _End(is_here=False, total=total)  # an empty or repeated page ends it


def _shaped(items: Sequence[Any]) -> Sequence[Any]:
    if not isinstance(items, list):
        message = "a list was due"
        raise TypeError(message)
    return items


def _nothing(_: bytes) -> None:
    """Read nothing: what a patch answers is not needed."""


def _created_id(body: bytes) -> int:
    return positive_id(read_json(body)["id"])


def _account(item: Any) -> Account:  # noqa: ANN401 - JSON
    return Account(id=positive_id(item["id"]), name=_text(item.get("name")), body=item)


def _contact(item: Any) -> Contact:  # noqa: ANN401 - JSON
    account = item.get("accountId")
    if account is None:
        account = (item.get("account") or {}).get("id")
    return Contact(
        id=positive_id(item["id"]),
        account_id=_optional_id(account),
        is_primary=item.get("isPrimary") is True,
        is_bill_to=item.get("isBillTo") is True,
        body=item,
    )


def _owned_contact(item: Any) -> Contact:  # noqa: ANN401 - JSON
    contact = _contact(item)
    if contact.account_id is None:  # perhaps of the account that was asked for
        message = "the contact does not say whose it is"
        raise ValueError(message)
    return contact


def _sync_options(body: Any, system_id: int) -> list[SyncOption]:  # noqa: ANN401 - JSON
    try:
        return [
            SyncOption(
                _required_text(option["alias"]),
                _text(option.get("name")),
                _text(option.get("value")) or None,
            )
            for system in _shaped([] if body["systems"] is None else body["systems"])
            if system["id"] == system_id
            for option in system.get("options") or ()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        message = "the sync options have another shape than documented"
        raise ValueError(message) from error


def _country(item: Any) -> Country | None:  # noqa: ANN401 - JSON
    code = _text(item.get("code"))
    country_id = _optional_id(item["id"])
    if item.get("isActive") is False or not code or country_id is None:
        return None
    states = (
        State(id=state_id, name=_text(state.get("name")), code=_text(state.get("code")) or None)
        for state in item.get("states") or ()
        if state.get("isActive") is not False
        and (state_id := _optional_id(state["id"])) is not None
    )
    return Country(id=country_id, name=_text(item.get("name")), code=code, states=tuple(states))


def _custom_field(item: Any) -> CustomFieldDefinition:  # noqa: ANN401 - JSON
    details = item.get("valueDetails")
    return CustomFieldDefinition(
        id=positive_id(item["id"]),
        name=_text(item.get("name")),
        type=_text(item.get("type")),
        value_type=_text(details.get("type")) if isinstance(details, dict) else "",
        is_read_only=bool(item.get("isReadOnly")),
    )


def _external_system(item: Any) -> ExternalSystem:  # noqa: ANN401 - JSON
    return ExternalSystem(
        id=positive_id(item["id"]),
        code=_text(item.get("code")),
        name=_text(item.get("name")),
        is_active=item.get("isActive") is not False,
    )


def _user(item: Any) -> User:  # noqa: ANN401 - JSON
    rule = item.get("defaultPermissionRuleId")
    return User(
        id=positive_id(item["id"]),
        username=_text(item.get("username")),
        default_permission_rule_id=_optional_id(rule),
    )


def _optional_id(value: object) -> int | None:
    """Return an id; ``None`` for null, and for the zero that .NET writes where none was set."""
    return None if value is None or (type(value) is int and value == 0) else positive_id(value)


def _text(value: object) -> str:
    """Return text cut, a number in digits; anything else is none."""
    if isinstance(value, str):
        return value[:MAX_NAME]
    return str(value) if type(value) in {int, float} else ""


def _required_text(value: object) -> str:
    if not (text := _text(value)):
        message = "a text was due"
        raise ValueError(message)
    return text
