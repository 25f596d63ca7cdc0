"""When an import of an instance runs by itself, and as what."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterError, croniter
from pydantic import Field, field_validator

from customer_import.config.files import FrozenModel
from customer_import.config.messages import WrongValueError
from customer_import.hints import nearest
from customer_import.vocabulary import Mode, Scope

PRESETS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""Those of Airflow that say a time, with the five fields that they stand for."""
_FIELDS = 5
_BY_CHANCE = re.compile(r"(?i)(?<![a-z])[hr](?![a-z])")
"""What croniter draws by lot, so that nobody knows when a run was due."""
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


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

    @property
    def fields(self) -> str:
        """The five fields, whichever way they are written."""
        return PRESETS.get(self.cron, self.cron)

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str) -> str:
        if cron in PRESETS or _names_times(cron):
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


def _names_times(cron: str) -> bool:
    """Whether five fields name times that come and are always the same; the 31st of February never comes."""
    if len(cron.split()) != _FIELDS or _BY_CHANCE.search(cron) or not croniter.is_valid(cron):
        return False
    try:
        croniter(cron, _ANY_TIME).get_next()
    except CroniterError:
        return False
    return True
