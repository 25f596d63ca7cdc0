"""The rate limiters of Partner Center's resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.http.limiter import WindowLimiter

if TYPE_CHECKING:
    from customer_import.config.instances import PartnerCenterConfig


@dataclass(frozen=True)
class Limits:
    """The limiters of the resources that Partner Center counts (docs/api/partner-center.md section 10)."""

    customers: WindowLimiter
    subscriptions: WindowLimiter

    @classmethod
    def of(cls, config: PartnerCenterConfig) -> Limits:
        """Return limiters that know of no other process."""
        budget, window_s = config.requests_per_window, config.rate_window_s
        return cls(WindowLimiter(budget, window_s), WindowLimiter(budget, window_s))
