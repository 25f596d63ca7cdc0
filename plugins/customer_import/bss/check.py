"""Looks at a BSS organisation before an import: one read of each kind, findings in words, nothing written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from customer_import.bss.hook import BssHook, open_client
from customer_import.bss.looks import SYNC_OPTIONS, look_at_sync_options, setup_looks
from customer_import.bss.organisation import find_tenant_marker
from customer_import.errors import CustomerImportError
from customer_import.http.finding import SIGN_IN, Finding, look_at

if TYPE_CHECKING:
    from customer_import.bss.looks import Needed
    from customer_import.config.instances import BssConfig
    from customer_import.http.finding import Look
    from customer_import.http.session import ApiSession


def check_bss(
    config: BssConfig,
    hook: BssHook | None = None,
    *,
    needed: Needed | None = None,
) -> tuple[Finding, ...]:
    """Sign in and read once what an import will read.

    Args:
        config: The instance's settings of this end.
        hook: Another hook than that of the instance's connection.
        needed: What the import names; given, all that a person sets up is looked at.

    Returns:
        One finding per subject, an organisation without sync options is still right; only the sign-in when that is
        refused.
    """
    try:
        session = (hook or BssHook(config.conn_id)).session(config, waits_for_outages=False)
    except CustomerImportError as error:
        return (Finding.wrong(SIGN_IN, error),)
    return asyncio.run(_check(session, config, needed))


async def _check(
    session: ApiSession, config: BssConfig, needed: Needed | None
) -> tuple[Finding, ...]:
    client = open_client(session, config)

    async def sign_in() -> str:
        await session.sign_in()
        return "a token was issued"

    async def countries() -> str:
        found = await client.countries()
        states = sum(len(country.states) for country in found)
        return f"{len(found)} countries with {states} states"

    async def tenant_marker() -> str:
        fields = await client.account_custom_fields()
        marker = find_tenant_marker(fields, config.tenant_marker_field)
        return f"custom field {marker.name!r} (id {marker.id}) can hold the tenant id"

    async def sync_options() -> str | Finding:
        return await look_at_sync_options(client, config)

    async def accounts() -> str:
        async for page in client.accounts():
            return f"can be listed ({len(page)} on the first page)"
        return "can be listed (there are none yet)"

    looks: dict[str, Look] = {
        "countries": countries,
        "tenant marker": tenant_marker,
        SYNC_OPTIONS: sync_options,
        "accounts": accounts,
    }
    if needed is not None:
        looks |= setup_looks(client, config, needed)
    async with session:
        return await look_at(sign_in, looks)
