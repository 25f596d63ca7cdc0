"""The imports that the canary test searches: with faults of every kind, refused sign-ins and refused data, at DEBUG."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from customer_import.words import ImportType
from sandbox import FaultKind, FaultRule, SandboxConfig
from tests.chaos.arena import Arena
from tests.chaos.storm import faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.arena import Case

CUSTOMERS = 200
_PERSONAL = ("email", "firstName", "lastName", "phoneNumber", "addressLine1")


def run(folder: Path) -> None:
    """Run the imports and write down which values must not be found."""
    with Arena(folder / "arena", SandboxConfig(customers=CUSTOMERS, resellers=4)) as arena:
        marked = _mark(arena)
        with arena.case("canary") as case:
            arena.sandbox.faults.replace(faults())
            case.finish(_job(case, ImportType.DIRECT, "storm"))
            arena.sandbox.faults.replace(
                [FaultRule(endpoint="bss.contacts.create", kind=FaultKind.STATUS, status=400)]
            )
            case.finish(_job(case, ImportType.INDIRECT, "refused"))
            for number, endpoint in enumerate(("bss.token", "entra.token")):
                arena.sandbox.faults.replace(
                    [
                        FaultRule(endpoint=endpoint, kind=FaultKind.UNAUTHORIZED),
                        FaultRule(endpoint=endpoint, kind=FaultKind.ENTRA_ERROR),
                    ]
                )
                process = case.begin(_job(case, ImportType.TENANT_RESELLER, f"sign_in_{number}"))
                process.join()
        secrets = _secrets(arena)
    (folder / "canaries.txt").write_text("\n".join([*secrets, *marked]), encoding="utf-8")


def _job(case: Case, import_type: ImportType, name: str):
    return case.job(import_type, name, log_level=logging.DEBUG)


def _mark(arena: Arena) -> list[str]:
    """Give every customer that has them personal values that nothing else holds; return these."""
    marked = []
    source = arena.sandbox.source
    for number, customer in enumerate(list(source.customers.values())):
        profile = (customer.document.get("billingProfile") or {}) if customer.document else {}
        address = profile.get("defaultAddress") or {}
        for holder in (profile, address):
            for name in _PERSONAL:
                if not isinstance(holder.get(name), str) or not holder[name].strip():
                    continue
                value = {
                    "email": f"canary{number}.mail@canary.example",
                    "phoneNumber": f"+30 69{number:08d}",
                }.get(name, f"Canary{name}{number:05d}")
                if name == "email" and "@" not in holder[name]:
                    value = f"canary{number}.broken.mail"
                holder[name] = value
                marked.append(value)
    return marked


def _secrets(arena: Arena) -> list[str]:
    """Passwords, client secrets, the refresh token, and the start of every token there is."""
    info = arena.sandbox.info
    given = [info.client_secret, info.refresh_token]
    for organisation in (info.provider, info.tenant_reseller):
        given += [organisation.password, organisation.client_secret]
    presented = arena.sandbox.state.entra._issuer._known  # every token that was ever sent
    return [*given, *presented]
