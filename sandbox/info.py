"""What a client needs to know of a running sandbox, and how it is announced in a file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class OrganisationInfo:
    """One BSS organisation: how to sign in and what its Microsoft fields are called."""

    name: str
    username: str
    password: str = field(repr=False)
    client_key: str
    client_secret: str = field(repr=False)
    tenant_marker_field: str
    sync_system_id: int
    sync_system_name: str
    has_mpn_option: bool


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """Addresses and credentials of a running sandbox.

    Attributes:
        entra_url: Base of Entra ID; the authority is ``{entra_url}/{partner_tenant_id}``.
        partner_center_url: Base of Partner Center, without ``/v1``.
        bss_url: Base of the BSS, without ``/api``.
        control_url: Base of the control API.
        ca_file: PEM file with the authority that signed Entra ID's certificate.
        partner_tenant_id: Tenant of the partner whose customers these are.
        client_id: Application registered there.
        client_secret: Its secret.
        refresh_token: A refresh token of the partner's service account.
        tenant_reseller_mpn_id: MPN ID of the reseller that has its own BSS organisation.
        tenant_reseller_tenant_id: Microsoft tenant of that reseller.
        provider: The partner's own BSS organisation.
        tenant_reseller: The tenant reseller's BSS organisation.
        proxy_url: Proxy that leads the hosts' names of the cloud that is played to the sandbox.
        unplaced_bodies: Files of the served folder that answer nothing.
    """

    entra_url: str
    partner_center_url: str
    bss_url: str
    control_url: str
    ca_file: str
    partner_tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    tenant_reseller_mpn_id: str
    tenant_reseller_tenant_id: str
    provider: OrganisationInfo
    tenant_reseller: OrganisationInfo
    proxy_url: str | None = None
    unplaced_bodies: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """The authority URL that msal takes."""
        return f"{self.entra_url}/{self.partner_tenant_id}"

    def write(self, path: Path) -> None:
        """Write the announcement in one step, so that a reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))
        Path(name).replace(path)

    @classmethod
    def read(cls, path: Path) -> SandboxInfo:
        """Read an announcement written by `write`."""
        values = orjson.loads(path.read_bytes())
        for name in ("provider", "tenant_reseller"):
            values[name] = OrganisationInfo(**values[name])
        values["unplaced_bodies"] = tuple(values["unplaced_bodies"])
        return cls(**values)
