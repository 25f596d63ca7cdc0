"""Bounds of durations: a moment so long before or after today is one that a calendar has."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import AfterValidator

from customer_import.config.messages import WrongValueError

_LONGEST: Final = timedelta(days=36_500)


def _in(unit: str) -> AfterValidator:
    longest = round(_LONGEST / timedelta(**{unit: 1}))

    def check(value: float) -> float:
        if value > longest:
            message = f"must be at most {longest} {unit}, is {value}"
            raise WrongValueError(message, "choose a shorter time")
        return value

    return AfterValidator(check)


IN_DAYS: Final = _in("days")
IN_HOURS: Final = _in("hours")
