"""Reads once per run what the import must know of its BSS organisation, and says in words what is missing there.

Sync options are optional in an organisation, so their absence is a warning; the tenant marker is what keeps customers
from being created twice, so its absence stops the run.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from customer_import.bss.models import Choice, Choices, Organisation
from customer_import.errors import ConfigurationError, RejectedRequestError
from customer_import.text import trim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from customer_import.bss.client import BssClient
    from customer_import.bss.models import (
        CustomFieldDefinition,
        ExternalSystem,
        PermissionRule,
        User,
    )
    from customer_import.config.instances import BssConfig

log = logging.getLogger(__name__)

_TEXT_TYPES = frozenset({"simplevalue", "textarea"})
_TEXT_VALUES = frozenset({"text", "none", ""})
_SOURCE = "BSS organisation"
RULE_PLACE = "BSS > Setup > Administration > Personal Setup > Permission Rules"
PAYMENT_PLACE = "BSS > Setup > Administration > System Options > Payment Methods"
ItemT = TypeVar("ItemT")


async def read_organisation(
    client: BssClient,
    config: BssConfig,
    *,
    responsible_user: str | None = None,
    permission_rule: str | None = None,
    payment_method: str | None = None,
) -> Organisation:
    """Read countries, tenant marker, sync system, owners, and what there is to choose from.

    Args:
        client: Calls the organisation.
        config: The instance's BSS settings.
        responsible_user: The run's choice by user name; overrides the instance's.
        permission_rule: The run's choice by name; overrides the instance's and the user's default.
        payment_method: By name; of the run's ordering options.

    Raises:
        ConfigurationError: The tenant marker is missing or cannot be written, or a user, rule or payment method does
            not exist.
    """
    marker = find_tenant_marker(await client.account_custom_fields(), config.tenant_marker_field)
    system = find_sync_system(await client.external_systems(), config.sync_system)
    if system is None:
        log.warning(
            "The BSS organisation has no active external system %r; sync options are left out",
            config.sync_system,
        )
    username = responsible_user or config.responsible_user
    rule_name = permission_rule or config.permission_rule
    takes_user, takes_rule = config.accepts_responsible_user, config.accepts_permission_rule
    users = (
        await _listed(client.users, is_needed=bool(username)) if takes_user or takes_rule else []
    )
    rules = await _listed(client.permission_rules, is_needed=bool(rule_name)) if takes_rule else []
    methods = await _listed(client.payment_methods, is_needed=True) if payment_method else []
    user = find_user(users, username) if takes_user or takes_rule else None
    rule_id = find_rule(rules, rule_name, user) if takes_rule else None
    check_payment_method(methods, payment_method)
    return Organisation(
        countries=tuple(await client.countries()),
        tenant_marker_field_id=marker.id,
        sync_system_id=system.id if system else None,
        responsible_user_id=user.id if user and takes_user else None,
        permission_rule_id=rule_id,
        choices=Choices(
            users=tuple(Choice(id=one.id, name=one.username) for one in users if takes_user),
            permission_rules=tuple(Choice(id=one.id, name=one.name) for one in rules),
            payment_methods=tuple(Choice(name=name) for name in methods),
        ),
    )


def find_tenant_marker(
    fields: Sequence[CustomFieldDefinition], wanted: str
) -> CustomFieldDefinition:
    """Return the account custom field that holds the tenant id, found by name or id.

    Raises:
        ConfigurationError: There is none, or it is no text field, or the API may not write it.
    """
    found = [f for f in fields if _is_same(f.name, wanted)] or [
        f for f in fields if str(f.id) == wanted
    ]
    if not found:
        message = (
            f"there is no account custom field {wanted!r}, which holds the Microsoft tenant id"
        )
        hint = (
            "create it in BSS > Setup > Office > Accounts > Custom Fields as a simple value of type text, "
            "or name another one as tenant_marker_field in instances.yaml"
        )
        raise ConfigurationError(message, source=_SOURCE, path="custom fields", hint=hint)
    if len(found) > 1:
        message = f"several account custom fields are called {wanted!r}"
        hint = f"name one by id in instances.yaml: {', '.join(str(f.id) for f in found)}"
        raise ConfigurationError(message, source=_SOURCE, path="custom fields", hint=hint)
    marker = found[0]
    is_text = marker.type.lower() in _TEXT_TYPES and marker.value_type.lower() in _TEXT_VALUES
    if not is_text or marker.is_read_only:
        fault = "is read-only" if is_text else f"has the type {marker.type} {marker.value_type}"
        message = f"the account custom field {marker.name!r} {fault} and cannot hold the tenant id"
        hint = (
            "make it a writable simple value of type text in BSS > Setup > Office > Accounts > Custom Fields, or name "
            "another one as tenant_marker_field"
        )
        raise ConfigurationError(message, source=_SOURCE, path="custom fields", hint=hint)
    return marker


def find_sync_system(systems: Sequence[ExternalSystem], wanted: str) -> ExternalSystem | None:
    """Return the active external system of that name, code or id; ``None`` when there is none."""
    active = [system for system in systems if system.is_active]
    for matches in (
        [system for system in active if _is_same(system.name, wanted)],
        [system for system in active if _is_same(system.code, wanted)],
        [system for system in active if str(system.id) == trim(wanted)],
    ):
        if matches:
            return matches[0]
    return None


async def _listed(read: Callable[[], Awaitable[list[ItemT]]], *, is_needed: bool) -> list[ItemT]:
    """Read a list; one that is only there to choose from may be refused."""
    try:
        return await read()
    except RejectedRequestError:
        if is_needed:
            raise
        return []


def find_user(users: Sequence[User], username: str | None) -> User | None:
    """Return the user of that name; ``None`` when none is named.

    Raises:
        ConfigurationError: There is no such user.
    """
    if not username:
        return None
    for user in users:
        if _is_same(user.username, username):
            return user
    message = "the responsible user does not exist"
    hint = (
        "correct responsible_user in the run's parameters or in instances.yaml, it is the BSS user name; or make the "
        "user in the BSS's setup"
    )
    raise ConfigurationError(message, source=_SOURCE, path="users", hint=hint)


def find_rule(rules: Sequence[PermissionRule], name: str | None, user: User | None) -> int | None:
    """Return the permission rule of that name, else the user's default.

    Raises:
        ConfigurationError: There is no such rule.
    """
    if not name:
        return user.default_permission_rule_id if user else None
    for rule in rules:
        if _is_same(rule.name, name):
            return rule.id
    message = f"there is no permission rule {name!r}"
    raise ConfigurationError(
        message,
        source=_SOURCE,
        path="permission rules",
        hint=_one_of((rule.name for rule in rules), RULE_PLACE),
    )


def check_payment_method(methods: Sequence[str], name: str | None) -> None:
    """Look whether there is a payment method of that name.

    Raises:
        ConfigurationError: There is none.
    """
    if name and not any(_is_same(method, name) for method in methods):
        message = f"there is no payment method {name!r}, which the ordering options name"
        raise ConfigurationError(
            message, source=_SOURCE, path="payment methods", hint=_one_of(methods, PAYMENT_PLACE)
        )


def _one_of(names: Iterable[str], place: str) -> str:
    return f"choose one of: {', '.join(sorted(names)) or 'none is defined'}; or make it in {place}"


def _is_same(left: str, right: str) -> bool:
    return trim(left).casefold() == trim(right).casefold()
