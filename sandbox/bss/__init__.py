"""The interworks.cloud BSS: two organisations behind one host."""

from __future__ import annotations

from sandbox.bss.app import Bss
from sandbox.bss.organisation import Organisation

__all__ = ["Bss", "Organisation"]
