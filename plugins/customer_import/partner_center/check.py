"""Looks at a Partner Center connection before an import: a token, its MFA, one customer, the resellers.

Cheap and read-only; run before every extraction, by the mode ``check`` and by the command.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from customer_import.errors import CustomerImportError
from customer_import.http.clock import wrong_clock
from customer_import.http.finding import SIGN_IN, Finding, look_at
from customer_import.partner_center.client import PartnerCenterClient
from customer_import.partner_center.error_body import NO_MFA
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.partner_center.looks import further_looks
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from customer_import.config.instances import PartnerCenterConfig
    from customer_import.http.finding import Look
    from customer_import.http.session import ApiSession
    from customer_import.partner_center.models import Peek

_MFA = "MFA"
_CLOCK = "clock"


def check_partner_center(
    config: PartnerCenterConfig,
    import_type: ImportType,
    hook: PartnerCenterHook | None = None,
    *,
    waits_for_outages: bool = False,
    is_thorough: bool = False,
) -> tuple[Finding, ...]:
    """Sign in and read once what an import will read.

    Args:
        config: The instance's settings of this end.
        import_type: The import that is about to run; only the indirect one needs the resellers.
        hook: Another hook than that of the instance's connection.
        waits_for_outages: Whether a Partner Center that answers nobody is waited for; a person is not made to.
        is_thorough: Whether every call that an import makes is tried, not only the first ones.

    Returns:
        One finding per subject; only the sign-in when that is refused.
    """
    hook = hook or PartnerCenterHook(config.conn_id)
    try:
        hook.prepare()
        session = hook.session(config, waits_for_outages=waits_for_outages)
        return asyncio.run(_check(hook, session, config, import_type, is_thorough=is_thorough))
    except CustomerImportError as error:  # of the connection; what follows from it is a finding
        return (Finding.wrong(SIGN_IN, error),)


async def _check(
    hook: PartnerCenterHook,
    session: ApiSession,
    config: PartnerCenterConfig,
    import_type: ImportType,
    *,
    is_thorough: bool,
) -> tuple[Finding, ...]:
    async with session:
        client = PartnerCenterClient(session, config, cloud=hook.settings.cloud)
        is_app_user = hook.settings.is_app_user
        peeks: list[Peek] = []

        async def sign_in() -> str:
            await session.sign_in()
            said = f"a token was issued (flow {hook.settings.credentials.flow})"
            return f"{said}; {hook.renewal_trouble}" if hook.renewal_trouble else said

        async def customers() -> str:
            peek = await client.peek(validates_mfa=is_app_user)
            peeks.append(peek)
            return "can be read" if peek.has_tenants else "can be read, there are none"

        async def resellers() -> str:
            return f"can be read, there are {len(await client.resellers())}"

        looks: dict[str, Look] = {"customers": customers}
        if import_type is ImportType.INDIRECT:
            looks["resellers"] = resellers
        if is_thorough:
            looks |= further_looks(client)
        findings = await look_at(sign_in, looks)
        clock = wrong_clock(hook.prepare().clock_offset_s, "Microsoft's")
        return (
            *findings,
            *(_judge_mfa(peek) for peek in peeks if is_app_user),
            *([Finding(_CLOCK, clock, is_warning=True)] if clock else []),
        )


def _judge_mfa(peek: Peek) -> Finding:
    """Say what Partner Center says of the token; what it refuses already is an error of the call."""
    match peek.is_mfa_compliant:
        case True:
            return Finding(_MFA, "the token is compliant")
        case None:
            return Finding(_MFA, "Partner Center does not say whether the token is compliant")
        case _:
            enforced = (
                "Partner Center refuses such calls with code 900421, step by step more of them"
            )
            return Finding(
                _MFA, f"the token is not compliant: {NO_MFA}. {enforced}", is_warning=True
            )
