"""Proves that a Partner Center connection works: a token, one customer, the resellers.

Cheap and read-only; run before every extraction and by the mode ``check``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.partner_center.client import PartnerCenterClient
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from customer_import.config.instances import InstanceConfig


@dataclass(frozen=True)
class Finding:
    """One thing that was proved.

    Attributes:
        subject: What was looked at.
        message: What was found, in words.
    """

    subject: str
    message: str


def check_partner_center(
    instance: InstanceConfig, import_type: ImportType, hook: PartnerCenterHook | None = None
) -> tuple[Finding, ...]:
    """Sign in and read once what the import will read.

    Args:
        instance: The instance.
        import_type: The import that is about to run; only the indirect one needs the resellers.
        hook: Another hook than that of the instance's connection.

    Raises:
        AuthenticationError: The sign-in or the rights were refused; says what to do.
        ConfigurationError: The connection is wrong, or the partner is not an indirect provider.
        ApiError: Partner Center cannot be reached or refuses.
    """
    hook = hook or PartnerCenterHook(instance.partner_center.conn_id)
    hook.prepare()
    return asyncio.run(check(hook, instance, import_type))


async def check(
    hook: PartnerCenterHook, instance: InstanceConfig, import_type: ImportType
) -> tuple[Finding, ...]:
    """Do the same inside a running event loop; the hook must be prepared."""
    flow = hook.settings.credentials.flow
    async with hook.session(instance.partner_center) as session:
        client = PartnerCenterClient(session, instance.partner_center)
        has_customers = await client.has_tenants()
        found = [
            Finding("sign-in", f"a token was issued (flow {flow})"),
            Finding("customers", "can be read" if has_customers else "can be read, there are none"),
        ]
        if import_type is ImportType.INDIRECT:
            resellers = await client.resellers()
            found.append(Finding("resellers", f"can be read, there are {len(resellers)}"))
    return tuple(found)
