"""The clock of a host that is wrong."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def clock_ahead(seconds: float) -> Iterator[None]:
    """Let this process take a later moment for now: ``time.time``, and the library as far as it is imported."""
    ahead = timedelta(seconds=seconds)

    class _IsMoment(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Ahead(datetime, metaclass=_IsMoment):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            moment: Any = datetime.now(tz) + ahead
            return moment

    modules: list[Any] = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("customer_import") and getattr(module, "datetime", None) is datetime
    ]
    real = time.time
    time.time = lambda: real() + seconds
    for module in modules:
        module.datetime = Ahead
    try:
        yield
    finally:
        time.time = real
        for module in modules:
            module.datetime = datetime
