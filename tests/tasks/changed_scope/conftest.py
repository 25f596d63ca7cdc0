from __future__ import annotations

from tests.imports.scene import scene

__all__ = ["scene"]
