"""Whether a person has to approve what a run is going to write, and the answer: reference data of the run."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations at run time
from typing import TYPE_CHECKING, Any

from pydantic import Field

from customer_import.config.files import FrozenModel
from customer_import.database.engine import reading
from customer_import.runs.reference_data import find_reference, put_reference
from customer_import.text import clean, short_name, trim, without_addresses
from customer_import.vocabulary import Answer, ReferenceName

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MOST_COMMENT = 500
"""Characters of what the person who answers says about it."""


class Planned(FrozenModel):
    """What a load is going to do, in counts of customers; it holds no customer.

    Attributes:
        create: Get a new account.
        update: Have an account in which something is written.
        overwrite: Those among them that lose a value that the BSS has.
        unchanged: Nothing is to be written.
        others: Nothing is written, and each result says why.
        unknown: The BSS refused to show them; they may be written when it does.
        changed: Customers per field that gets a value.
        emptied: Customers per field that is emptied.
    """

    create: int = 0
    update: int = 0
    overwrite: int = 0
    unchanged: int = 0
    others: int = 0
    unknown: int = 0
    changed: dict[str, int] = Field(default_factory=dict)
    emptied: dict[str, int] = Field(default_factory=dict)

    @property
    def writes(self) -> int:
        """Customers that are written, or may be."""
        return self.create + self.update + self.unknown


class Approval(FrozenModel):
    """The question of a run, and what came of it.

    Attributes:
        why: Why the run asks, in words; ``None`` when it does not ask.
        planned: What it is going to do.
        timeout_hours: How long it waits.
        answer: What came of it; ``None`` while it waits.
        by: Airflow name of the user who answered.
        at: When, UTC.
        comment: What that user says about it.
    """

    why: str | None = None
    planned: Planned = Planned()
    timeout_hours: float = 0.0
    answer: Answer | None = None
    by: str | None = None
    at: datetime | None = None
    comment: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the run waits for the answer."""
        return self.why is not None and self.answer is None

    @property
    def is_refused(self) -> bool:
        """Whether nothing may be written."""
        return self.answer in {Answer.REJECTED, Answer.TIMED_OUT}

    def as_dict(self) -> dict[str, Any]:
        """Return question and answer as the summary stores them."""
        return self.model_dump(mode="json", include={"why", "answer", "by", "at"})

    def answered(self, answer: Answer, by: str | None, at: datetime, comment: str) -> Approval:
        """Return the question with its answer; the comment without e-mail addresses, for logs show it."""
        said = without_addresses(trim(clean(comment, MOST_COMMENT))) or None
        changes = {"answer": answer, "by": by, "at": at, "comment": said}
        return self.model_copy(update=changes)

    def told(self) -> str:
        """Say the answer: ``Rejected by admin, 2026-11-27 21:05 UTC: too many names.``."""
        if self.answer is None or self.at is None:
            return ""
        when = f"{self.at:%Y-%m-%d %H:%M} UTC"
        if self.answer is Answer.TIMED_OUT:
            return f"Nobody answered within {self.timeout_hours:g} hours, until {when}."
        comment = f": {self.comment.rstrip('.')}" if self.comment else ""
        return (
            f"{self.answer.capitalize()} by {short_name(self.by or 'somebody')}, {when}{comment}."
        )


def read_approval(engine: Engine, run_key: int) -> Approval | None:
    """Return the question of a run; ``None`` when the run has not come to it."""
    with reading(engine) as connection:
        return find_approval(connection, run_key)


def find_approval(connection: Connection, run_key: int) -> Approval | None:
    """Return the same by an open connection."""
    body = find_reference(connection, run_key, ReferenceName.APPROVAL)
    return Approval.model_validate(body) if body is not None else None


def store_approval(engine: Engine, run_key: int, approval: Approval) -> None:
    """Store the question of a run, or its answer."""
    put_reference(engine, run_key, ReferenceName.APPROVAL, approval.model_dump(mode="json"))
