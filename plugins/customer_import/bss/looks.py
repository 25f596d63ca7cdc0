"""Looks at what a person sets up in the BSS for imports, and names the place in the BSS where to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.bss.organisation import (
    PAYMENT_PLACE,
    RULE_PLACE,
    check_payment_method,
    find_rule,
    find_sync_system,
    find_user,
)
from customer_import.errors import ConfigurationError
from customer_import.http.finding import Finding
from customer_import.text import trim

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from customer_import.bss.client import BssClient
    from customer_import.config.instances import BssConfig
    from customer_import.http.finding import Look

SYNC_OPTIONS = "sync options"
_SYSTEM_PLACE = (
    "BSS > Setup > Administration > System Options > Applications Setup > Microsoft Cloud Services"
)
_API_PLACE = "the section 'Use of API Options' of the BSS's Setup"


@dataclass(frozen=True)
class Needed:
    """What an import names that a person has to set up.

    Attributes:
        sync_options: Those that the import fills, by name.
        payment_method: Of the instance's ordering options, by name.
    """

    sync_options: tuple[str, ...] = ()
    payment_method: str | None = None


def setup_looks(client: BssClient, config: BssConfig, needed: Needed) -> Mapping[str, Look]:
    """Return subject to what looks at it.

    Args:
        client: Calls the organisation.
        config: The instance's settings of this end.
        needed: What the import names.
    """

    async def countries() -> str:
        found = await client.countries()
        if not found:
            message = "the organisation has no active country, so every customer would be rejected"
            hint = "activate the customers' countries in the BSS's setup"
            raise ConfigurationError(
                message, source="BSS organisation", path="countries", hint=hint
            )
        states = sum(len(country.states) for country in found)
        return f"{len(found)} countries with {states} states"

    async def sync_options() -> str | Finding:
        return await look_at_sync_options(client, config, needed.sync_options)

    async def users() -> str:
        if not config.accepts_responsible_user:
            return f"the responsible user is decided in {_API_PLACE} (accepts_responsible_user is false)"
        found = await client.users()
        if not config.responsible_user:
            return f"there are {len(found)}; the instance names none, so a run may"
        find_user(found, config.responsible_user)
        return f"there are {len(found)}, the instance's responsible user among them"

    async def permission_rules() -> str:
        if not config.accepts_permission_rule:
            return f"the rule is decided in {_API_PLACE} (accepts_permission_rule is false)"
        name = config.responsible_user
        user = find_user(await client.users(), name) if name else None
        rule_id = find_rule(await client.permission_rules(), config.permission_rule, user)
        if rule_id is None:
            return f"none is named; the default of {RULE_PLACE} applies"
        return f"new records get rule {rule_id}"

    async def payment_methods() -> str:
        name = needed.payment_method
        if not name:
            return (
                f"the ordering options name none; new accounts get the default of {PAYMENT_PLACE}"
            )
        check_payment_method(await client.payment_methods(), name)
        return f"there is {name!r}, which the ordering options name"

    return {
        "countries": countries,
        SYNC_OPTIONS: sync_options,
        "users": users,
        "permission rules": permission_rules,
        "payment methods": payment_methods,
    }


async def look_at_sync_options(
    client: BssClient, config: BssConfig, option_names: Collection[str] = ()
) -> str | Finding:
    """Say which system holds the sync options and, as far as an account shows it, which of them there are."""
    system = find_sync_system(await client.external_systems(), config.sync_system)
    if system is None:
        message = f"there is no active system {config.sync_system!r}; sync options will be left out"
        return Finding(
            SYNC_OPTIONS, f"{message}. Hint: set it up in {_SYSTEM_PLACE}", is_warning=True
        )
    said = f"system {system.name!r} (id {system.id})"
    if not option_names:
        return said
    account_id = await _any_account(client)
    if account_id is None:
        return f"{said}; which options it has is seen as soon as there is an account"
    found = {trim(one.name).casefold() for one in await client.sync_options(account_id, system.id)}
    missing = sorted(name for name in option_names if trim(name).casefold() not in found)
    if missing:
        message = f"{said} has no option {' and no option '.join(missing)}; it will be left out"
        hint = f"run 'Get Services Definitions' of the instance in {_SYSTEM_PLACE}"
        return Finding(SYNC_OPTIONS, f"{message}. Hint: {hint}", is_warning=True)
    return f"{said} has {' and '.join(sorted(option_names))}"


async def _any_account(client: BssClient) -> int | None:
    async for page in client.accounts():
        return page[0].id if page else None
    return None
