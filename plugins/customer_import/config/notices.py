"""Who is told about an instance's imports without asking, and of what."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, field_validator

from customer_import.config.durations import IN_HOURS
from customer_import.config.files import FrozenModel
from customer_import.config.messages import WrongValueError
from customer_import.vocabulary import NoticeKind

PLACES: Final = ("title", "text", "link")
"""What stands for a notice in a notifier's options, in braces: ``{title}``."""
OVERDUE_AFTER_HOURS: Final = 6.0
_QUIET = frozenset({NoticeKind.NEW_CUSTOMERS})
"""Told only to those who ask for it: it is no trouble."""


class NotifierConfig(FrozenModel):
    """One of Airflow's notifiers, of whichever provider."""

    notifier: str
    """Its class with its module."""
    options: dict[str, Any] = Field(default_factory=dict)  # Any: the notifier's own
    """Its arguments; ``{title}``, ``{text}`` and ``{link}`` in a text stand for the notice's."""

    @field_validator("notifier")
    @classmethod
    def _check_notifier(cls, name: str) -> str:
        if all(part.isidentifier() for part in name.split(".")) and "." in name:
            return name
        message = f"{name!r} is no class with its module"
        hint = "write it as airflow.providers.smtp.notifications.smtp.SmtpNotifier"
        raise WrongValueError(message, hint)


class NoticesConfig(FrozenModel):
    """What is told, to whom, and how often."""

    by: Annotated[tuple[NotifierConfig, ...], Field(min_length=1)]
    of: tuple[NoticeKind, ...] = tuple(kind for kind in NoticeKind if kind not in _QUIET)
    problems_from: Annotated[int, Field(gt=0)] = 1
    """So many customers that failed or were rejected are worth a notice."""
    overdue_after_hours: Annotated[float, Field(gt=0), IN_HOURS] = OVERDUE_AFTER_HOURS
    """A scheduled import that has not ended well so long after its time is overdue."""
    repeat_after_hours: Annotated[float, Field(gt=0), IN_HOURS] = 24.0
    """What goes on is told again after so long, not with every run."""
