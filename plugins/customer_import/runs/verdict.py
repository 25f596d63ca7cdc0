"""What became of a tenant, and why: the one word that every task gives its answer in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from customer_import.vocabulary import Outcome, ReasonCode


class Verdict(NamedTuple):
    """The outcome of one tenant with its reason.

    Attributes:
        outcome: What became of it.
        reason_code: Why, as a key that can be counted.
        reason: Why, in words for people: company, ids and the APIs' own words, never personal data.
    """

    outcome: Outcome
    reason_code: ReasonCode
    reason: str
