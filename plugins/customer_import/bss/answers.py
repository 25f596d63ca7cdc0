"""What the BSS's answers say, as records: JSON in, values out, no network (docs/api/bss.md sections 2.3 and 2.4).

A body of another shape than documented raises ``KeyError``, ``TypeError``, ``AttributeError`` or ``ValueError``;
``malformed_as_value_error`` makes one of the four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from customer_import.bss.models import (
    Account,
    Contact,
    Country,
    CustomFieldDefinition,
    ExternalSystem,
    PermissionRule,
    State,
    SyncOption,
    User,
)
from customer_import.http.reader import positive_id, read_json

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

MAX_NAME = 1_000


def malformed_as_value_error(parse: Callable[[bytes], Value]) -> Callable[[bytes], Value]:
    """Make every way in which a body can have the wrong shape the ``ValueError`` that a session tries again."""

    def checked(body: bytes) -> Value:
        try:
            return parse(body)
        except (KeyError, TypeError, AttributeError) as error:
            message = "the answer has another shape than documented"
            raise ValueError(message) from error

    return checked


class PageEnd(NamedTuple):
    """What a page says of the end of its list: whether it is the last, how many pages and records there are."""

    is_here: bool
    pages: int | None = None
    total: int | None = None


def parse_page(body: object, index: int) -> tuple[list[Any], PageEnd]:
    """Return the items of a list answer, and what it says of the list's end.

    Version 3 has an envelope whose ``paging`` differs between lists (docs/api/bss.md section 2.3), older
    versions a bare array.
    """
    if isinstance(body, list):
        return body, PageEnd(is_here=True)
    envelope = cast("dict[str, Any]", body)
    paging = envelope.get("paging") or {}
    pages = paging.get("totalPages", paging.get("pageCount"))
    said = paging.get("totalRecords", paging.get("totalCount"))
    total = said if type(said) is int else None
    items = envelope.get("data", []) if said == 0 else envelope["data"]
    if items is None and not said:
        items = []  # how .NET writes an empty list that was never filled
    if type(pages) is int:
        return items, PageEnd(index >= pages, pages, total)
    links = envelope.get("links")
    if isinstance(links, dict) and "next" in links:
        return items, PageEnd(links["next"] is None, total=total)
    return items, PageEnd(is_here=False, total=total)  # an empty or repeated page ends it


def parse_list(items: object) -> list[Any]:
    """Return what has to be a list.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(items, list):
        message = "a list was due"
        raise TypeError(message)
    return items


def parse_created_id(body: bytes) -> int:
    """Return the id of the record that a POST made."""
    return positive_id(read_json(body)["id"])


def parse_account(item: Any) -> Account:  # noqa: ANN401 - JSON
    """Return an account."""
    return Account(id=positive_id(item["id"]), name=parse_text(item.get("name")), body=item)


def parse_contact(item: Any) -> Contact:  # noqa: ANN401 - JSON
    """Return a contact, which may not say whose it is."""
    owner = item.get("account") or {}
    account = _optional_id(item.get("accountId")) or _optional_id(owner.get("id"))
    return Contact(
        id=positive_id(item["id"]),
        account_id=account,
        is_primary=item.get("isPrimary") is True,
        is_bill_to=item.get("isBillTo") is True,
        body=item,
    )


def parse_owned_contact(item: Any) -> Contact:  # noqa: ANN401 - JSON
    """Return a contact that says whose it is."""
    contact = parse_contact(item)
    if contact.account_id is None:  # perhaps of the account that was asked for
        message = "the contact does not say whose it is"
        raise ValueError(message)
    return contact


def parse_sync_options(body: Any, system_id: int) -> list[SyncOption]:  # noqa: ANN401 - JSON
    """Return an account's sync options of one system."""
    try:
        return [
            SyncOption(
                _required_text(option["alias"]),
                parse_text(option.get("name")),
                parse_text(option.get("value")) or None,
            )
            for system in parse_list([] if body["systems"] is None else body["systems"])
            if system["id"] == system_id
            for option in system.get("options") or ()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        message = "the sync options have another shape than documented"
        raise ValueError(message) from error


def parse_country(item: Any) -> Country | None:  # noqa: ANN401 - JSON
    """Return a country with its active states; ``None`` when it is not active or has no code."""
    code = parse_text(item.get("code"))
    country_id = _optional_id(item["id"])
    if item.get("isActive") is False or not code or country_id is None:
        return None
    states = (
        State(
            id=state_id,
            name=parse_text(state.get("name")),
            code=parse_text(state.get("code")) or None,
        )
        for state in item.get("states") or ()
        if state.get("isActive") is not False
        and (state_id := _optional_id(state["id"])) is not None
    )
    return Country(
        id=country_id, name=parse_text(item.get("name")), code=code, states=tuple(states)
    )


def parse_custom_field(item: Any) -> CustomFieldDefinition:  # noqa: ANN401 - JSON
    """Return the definition of a custom field."""
    details = item.get("valueDetails")
    return CustomFieldDefinition(
        id=positive_id(item["id"]),
        name=parse_text(item.get("name")),
        type=parse_text(item.get("type")),
        value_type=parse_text(details.get("type")) if isinstance(details, dict) else "",
        is_read_only=bool(item.get("isReadOnly")),
    )


def parse_external_system(item: Any) -> ExternalSystem:  # noqa: ANN401 - JSON
    """Return an external system."""
    return ExternalSystem(
        id=positive_id(item["id"]),
        code=parse_text(item.get("code")),
        name=parse_text(item.get("name")),
        is_active=item.get("isActive") is not False,
    )


def parse_user(item: Any) -> User:  # noqa: ANN401 - JSON
    """Return a user."""
    rule = item.get("defaultPermissionRuleId")
    return User(
        id=positive_id(item["id"]),
        username=parse_text(item.get("username")),
        default_permission_rule_id=_optional_id(rule),
    )


def parse_permission_rule(item: Any) -> PermissionRule:  # noqa: ANN401 - JSON
    """Return a permission rule."""
    return PermissionRule(id=positive_id(item["id"]), name=parse_text(item.get("name")))


def parse_text(value: object) -> str:
    """Return text cut, a number in digits; anything else is none."""
    if isinstance(value, str):
        return value[:MAX_NAME]
    return str(value) if type(value) in {int, float} else ""


def _required_text(value: object) -> str:
    if not (text := parse_text(value)):
        message = "a text was due"
        raise ValueError(message)
    return text


def _optional_id(value: object) -> int | None:
    """Return an id; ``None`` for null, and for the zero that .NET writes where none was set."""
    return None if value is None or (type(value) is int and value == 0) else positive_id(value)
