"""Looks at a BSS organisation before an import: one read of each kind, findings in words, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.bss.organisation import find_sync_system, find_tenant_marker
from customer_import.errors import ApiError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from customer_import.bss.client import BssClient
    from customer_import.config.instances import BssConfig


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        subject: What was looked at.
        is_ok: Whether an import can work with it.
        message: What was found, and what to do when it is not right.
    """

    subject: str
    is_ok: bool
    message: str


async def check_bss(client: BssClient, config: BssConfig) -> tuple[Finding, ...]:
    """Try everything that an import needs to read.

    Returns:
        One finding per subject; an organisation without sync options is still right.

    Raises:
        AuthenticationError: The BSS refused the credentials; there is nothing else to look at.
    """

    async def countries() -> str:
        found = await client.countries()
        states = sum(len(country.states) for country in found)
        return f"{len(found)} countries with {states} states"

    async def tenant_marker() -> str:
        fields = await client.account_custom_fields()
        marker = find_tenant_marker(fields, config.tenant_marker_field)
        return f"custom field {marker.name!r} (id {marker.id}) can hold the tenant id"

    async def sync_options() -> str:
        system = find_sync_system(await client.external_systems(), config.sync_system)
        if system is None:
            return (
                f"there is no active system {config.sync_system!r}; sync options will be left out"
            )
        return f"system {system.name!r} (id {system.id})"

    async def accounts() -> str:
        async for page in client.accounts():
            return f"can be listed ({len(page)} on the first page)"
        return "can be listed (there are none yet)"

    looks: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
        ("countries", countries),
        ("tenant marker", tenant_marker),
        ("sync options", sync_options),
        ("accounts", accounts),
    )
    return tuple([await _look(subject, look) for subject, look in looks])


async def _look(subject: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(subject, is_ok=True, message=await look())
    except (ApiError, ConfigurationError) as error:
        return Finding(subject, is_ok=False, message=str(error))
