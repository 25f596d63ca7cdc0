"""When an import of an instance runs by itself, and as what."""

from __future__ import annotations

from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from croniter import croniter
from pydantic import Field, field_validator

from customer_import.config.files import FrozenModel
from customer_import.config.messages import WrongValueError
from customer_import.hints import nearest
from customer_import.vocabulary import Mode, Scope

PRESETS: Final = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
"""Those of Airflow that say a time."""
_FIELDS = 5


class ScheduleConfig(FrozenModel):
    """The schedule of one import type of an instance."""

    cron: Annotated[str, Field(min_length=1)]
    """Five fields, or one of ``PRESETS``."""
    timezone: Annotated[str, Field(min_length=1)] = "UTC"
    """By its IANA name; hours of ``cron`` are this zone's, in summer too."""
    scope: Scope = Scope.CHANGED
    mode: Mode = Mode.IMPORT
    require_approval: bool = False
    """Whether each run asks a person before it writes."""

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str) -> str:
        if cron in PRESETS or (len(cron.split()) == _FIELDS and croniter.is_valid(cron)):
            return cron
        close = nearest(cron, PRESETS)
        meant = f"did you mean {close}? " if close else ""
        message = f"{cron!r} is no time of a schedule"
        hint = f'{meant}write minute, hour, day, month and weekday, as "30 4 * * 1-5", or one of {", ".join(PRESETS)}'
        raise WrongValueError(message, hint)

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError):  # a folder, a path, an unknown name
            close = nearest(name, available_timezones())
        else:
            return name
        meant = f"did you mean {close}? " if close else ""
        message = f"there is no time zone {name!r}"
        raise WrongValueError(message, f'{meant}write its IANA name, such as "Europe/Athens"')
