"""Microsoft Partner Center: its data and the endpoints that an importer reads."""

from __future__ import annotations

from sandbox.partner_center.app import PartnerCenter
from sandbox.partner_center.source import Source

__all__ = ["PartnerCenter", "Source"]
