"""The clock of a host that is wrong."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo
from typing import Self


def set_clock_ahead(seconds: float) -> None:
    """Let the library, as far as this process has imported it, take a later moment for now."""
    ahead = timedelta(seconds=seconds)

    class _IsMoment(type(datetime)):  # type: ignore[misc]
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Ahead(datetime, metaclass=_IsMoment):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return datetime.now(tz) + ahead  # type: ignore[return-value]

    for name, module in list(sys.modules.items()):
        if name.startswith("customer_import") and getattr(module, "datetime", None) is datetime:
            module.datetime = Ahead  # type: ignore[attr-defined]
