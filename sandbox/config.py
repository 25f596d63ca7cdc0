"""What a sandbox can be told at start.

Holds values only: nothing here opens a port or a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.clouds import Cloud
    from sandbox.faults import FaultRule


class CustomerClass(StrEnum):
    """The three kinds of customers, named like the import types."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    TENANT_RESELLER = "tenant_reseller"


class RateWindow(StrEnum):
    """How Partner Center counts: from the first request on, or over the last window."""

    FIXED = "fixed"
    SLIDING = "sliding"


@dataclass(frozen=True, slots=True)
class ClassMix:
    """Shares of the three customer classes; only their proportions matter."""

    direct: int = 45
    indirect: int = 30
    tenant_reseller: int = 25

    @classmethod
    def parse(cls, text: str) -> ClassMix:
        """Read ``direct=45,indirect=30,tenant_reseller=25``; a class left out gets no share.

        Raises:
            ValueError: When a class is unknown, a share is no number or all are zero.
        """
        shares = {name.value: 0 for name in CustomerClass}
        for part in text.split(","):
            name, _, share = part.strip().partition("=")
            shares[CustomerClass(name).value] = int(share)
        if sum(shares.values()) <= 0 or min(shares.values()) < 0:
            message = f"the mix {text!r} gives no class a share"
            raise ValueError(message)
        return cls(**shares)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests one resource of Partner Center takes per window."""

    requests: int
    window_s: float
    window: RateWindow = RateWindow.FIXED

    @classmethod
    def parse(cls, text: str, window: str = "fixed") -> RateLimit:
        """Read ``500/60``: 500 requests in 60 seconds.

        Raises:
            ValueError: When the text is not two positive numbers.
        """
        requests, _, window_s = text.partition("/")
        limit = cls(int(requests), float(window_s), RateWindow(window))
        if limit.requests < 1 or limit.window_s <= 0:
            message = f"the rate limit {text!r} needs two positive numbers"
            raise ValueError(message)
        return limit


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Everything that a start of the sandbox may set.

    Attributes:
        host: Address that Entra ID, Partner Center and the BSS listen on.
        public_host: Name that the announced URLs carry instead of the loopback address.
        entra_port: Port of Entra ID; 0 takes a free one, as for the other ports.
        partner_center_port: Port of Partner Center.
        bss_port: Port of the BSS.
        control_port: Port of the control API, which listens on loopback only.
        customers: Number of generated customers.
        resellers: Number of generated resellers, the tenant reseller included.
        seed: Decides population and credentials.
        mix: Shares of the three customer classes.
        data_dir: Where state survives a restart; None keeps it in memory.
        info_file: Where the announcement is written when the sandbox is ready.
        latency_ms: Time that every answer of the three services takes at least.
        rate_limit: Throttling of Partner Center; None switches it off.
        token_ttl_s: Lifetime of the access tokens of Entra ID and the BSS.
        has_mfa: False issues App+User tokens that prove no multi-factor authentication.
        has_role: False issues them to a service account without an agent role in Partner Center.
        cloud: Which of Microsoft's clouds it plays; a proxy then leads that cloud's hosts' names to it.
        clock_offset_s: By how many seconds the clock is ahead that answers tell of.
        hides_without_access: Whether domains, company address and company e-mail of customers that
            allow no delegated access are left out of the answers, as Microsoft does.
        is_indirect_provider: False makes the reseller calls answer 403 / 1002.
        accepts_owner_fields: Whether the BSS takes responsible user, permission rule and bill-to
            account on create.
        requires_ordering_fields: Whether the BSS insists on every field that the vendor's
            specification lists as required on create.
        existing_accounts: Accounts that each BSS organisation holds before any import.
        serve_bodies: Folder of Partner Center bodies to serve beside the generated ones.
        keeps_request_log: Whether single requests are kept, not only counts.
        keeps_exchanges: Whether requests and answers are kept as they were on the wire.
        faults: Fault rules in force from the start.
    """

    host: str = "127.0.0.1"
    public_host: str | None = None
    entra_port: int = 0
    partner_center_port: int = 0
    bss_port: int = 0
    control_port: int = 0
    customers: int = 600
    resellers: int = 8
    seed: int = 1
    mix: ClassMix = field(default_factory=ClassMix)
    data_dir: Path | None = None
    info_file: Path | None = None
    latency_ms: float = 0.0
    rate_limit: RateLimit | None = None
    token_ttl_s: float = 3600.0
    has_mfa: bool = True
    has_role: bool = True
    cloud: Cloud | None = None
    clock_offset_s: float = 0.0
    hides_without_access: bool = False
    is_indirect_provider: bool = True
    accepts_owner_fields: bool = True
    requires_ordering_fields: bool = False
    existing_accounts: int = 0
    serve_bodies: Path | None = None
    keeps_request_log: bool = False
    keeps_exchanges: bool = False
    faults: tuple[FaultRule, ...] = ()
