"""How the answer of who was asked is told: it goes into results and into the logs of load tasks."""

from __future__ import annotations

from datetime import UTC, datetime

from customer_import.runs.approvals import Approval
from customer_import.vocabulary import Answer

AT = datetime(2026, 3, 1, 5, tzinfo=UTC)


def test_an_answer_is_told_without_anybodys_address():
    asked = Approval(why="the instance asks for it (require_approval).")
    comment = "ask <ada.lovelace@contoso.example>, or mail bob@fabrikam.example."
    answered = asked.answered(Answer.REJECTED, "anna@partner.example", AT, comment)
    said = "Rejected by anna, 2026-03-01 05:00 UTC: ask <[address]>, or mail [address]."
    assert answered.told() == said
    assert "@" not in answered.model_dump_json(exclude={"by"})
