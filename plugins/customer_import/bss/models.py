"""What a run knows of its BSS organisation, and the BSS records it reads: pure values, no network.

The organisation is read once per run by ``start_run`` and stored as reference data ``organisation``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from customer_import.text import trim


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class State(_Model):
    """A state of a country; ``code`` may be missing."""

    id: int
    name: str
    code: str | None = None


class Country(_Model):
    """A country of the organisation; ``code`` is ISO 3166-1 alpha-2."""

    id: int
    name: str
    code: str
    states: tuple[State, ...] = ()


class Choice(_Model):
    """Something that the organisation has and a run may name; without ``id`` it is known by its name alone."""

    id: int | None = None
    name: str


class Choices(_Model):
    """What the organisation has for new records.

    Attributes:
        users: Who may own them, by user name; empty when the API does not take a responsible user.
        permission_rules: The same of permission rules.
        payment_methods: Payment methods; empty when nobody asked for them.
    """

    users: tuple[Choice, ...] = ()
    permission_rules: tuple[Choice, ...] = ()
    payment_methods: tuple[Choice, ...] = ()


class Organisation(_Model):
    """Look-ups of one BSS organisation.

    Attributes:
        countries: Active countries with their active states.
        tenant_marker_field_id: Id of the account custom field that holds the tenant id.
        sync_system_id: Id of the external system of the sync options; ``None`` when the organisation has none.
        responsible_user_id: Resolved when the instance says that the API accepts it.
        permission_rule_id: The same.
        identity: Which organisation it is (``BssHook.organisation``).
        choices: What a run may name; stored apart.
        found_options: Names of sync options that were left out of earlier writes and that it has by now.
    """

    countries: tuple[Country, ...]
    tenant_marker_field_id: int
    sync_system_id: int | None = None
    responsible_user_id: int | None = None
    permission_rule_id: int | None = None
    identity: str = ""
    found_options: tuple[str, ...] = ()
    choices: Choices = Choices()

    @cached_property
    def country_ids(self) -> dict[str, int]:
        """Upper-case ISO-2 code to country id."""
        return {trim(country.code).upper(): country.id for country in _by_id(self.countries)}

    @cached_property
    def state_ids(self) -> dict[tuple[int, str], int]:
        """(country id, case-folded state code or name) to state id; a code beats an equal name."""
        ids: dict[tuple[int, str], int] = {}
        for country in self.countries:
            states = _by_id(country.states)
            for state in states:
                ids.setdefault((country.id, trim(state.name).casefold()), state.id)
            for state in states:
                if state.code:
                    ids[country.id, trim(state.code).casefold()] = state.id
        return ids


_Numbered = TypeVar("_Numbered", State, Country)


def _by_id(listed: Iterable[_Numbered]) -> list[_Numbered]:
    """Of two with one code or name the same one is found, in whichever order the BSS lists them."""
    return sorted(listed, key=lambda one: one.id)


Json = Mapping[str, object]
"""A JSON object of the BSS as it was read."""


@dataclass(frozen=True)
class Account:
    """An account as the BSS shows it.

    Attributes:
        id: Its number.
        name: Its name, as stored.
        body: The whole ``AccountDto`` (docs/api/bss.md section 2.5); personal data, never shown in a ``repr``.
    """

    id: int
    name: str
    body: Json = field(repr=False)

    def custom_field(self, field_id: int) -> str | None:
        """Return the first value of a custom field; ``None`` when it is empty or was not included in the read."""
        return self._custom(lambda custom: str(custom.get("id")) == str(field_id))

    def custom_field_named(self, name: str) -> str | None:
        """Return the first value of the custom field with that name, case ignored; ``None`` as above."""
        wanted = name.casefold()
        return self._custom(lambda custom: str(custom.get("name")).casefold() == wanted)

    def _custom(self, is_wanted: Callable[[Json], bool]) -> str | None:
        for group in _objects(self.body.get("customFields")):
            for custom in _objects(group.get("groupFields")):
                if is_wanted(custom):
                    return next((str(value) for value in _values(custom) if value), None)
        return None


def _values(custom: Json) -> list[object]:
    """Return what a custom field holds, be it a list, as documented, or one value, in an object or bare."""
    held = custom.get("values")
    entries = held if isinstance(held, list) else [held]
    return [entry.get("value") if isinstance(entry, Mapping) else entry for entry in entries]


def _objects(value: object) -> list[Json]:
    """Return the objects of a list; nothing of what is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


@dataclass(frozen=True)
class Contact:
    """A contact as the BSS shows it (docs/limits.md).

    Attributes:
        id: Its number.
        account_id: The account it belongs to; ``None`` when it belongs to none.
        is_primary: Whether it is the account's primary contact.
        is_bill_to: Whether invoices go to it.
        body: The whole contact; personal data, never shown in a ``repr``.
    """

    id: int
    account_id: int | None
    is_primary: bool
    is_bill_to: bool
    body: Json = field(repr=False)


@dataclass(frozen=True)
class SyncOption:
    """One option of an external system on an account (docs/api/bss.md section 2.6).

    Attributes:
        alias: The key that a write names.
        name: What the BSS shows; mappings name this.
        value: Its value on the account, ``None`` when it is empty.
    """

    alias: str
    name: str
    value: str | None = field(repr=False)


@dataclass(frozen=True)
class CustomFieldDefinition:
    """A custom field that accounts of the organisation have."""

    id: int
    name: str
    type: str
    value_type: str
    is_read_only: bool


@dataclass(frozen=True)
class ExternalSystem:
    """A system that accounts can be synchronised with."""

    id: int
    code: str
    name: str
    is_active: bool


@dataclass(frozen=True)
class User:
    """A BSS user and the permission rule that is his or her default."""

    id: int
    username: str = field(repr=False)
    default_permission_rule_id: int | None


@dataclass(frozen=True)
class PermissionRule:
    """A permission rule by name."""

    id: int
    name: str
