"""The vocabulary of validation: a rule, what became of it on a chunk, and a finding in words.

A rule is data: which Great Expectations expectation it is, how bad a breach is, and what a person
reads. So the suites can be read, and tested, without importing Great Expectations. Messages name
the field and what to do, never the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from customer_import.vocabulary import ReasonCode, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Flags, SourceColumns, Texts

Columns = dict[str, "Texts | np.ndarray[tuple[int], np.dtype[np.generic]]"]
"""Column name to its values."""

RowNumbers = np.ndarray[tuple[int], np.dtype[np.intp]]
"""Rows of a frame, ascending."""


class Expectation(NamedTuple):
    """A row-level expectation of Great Expectations.

    Attributes:
        type: Class name in ``great_expectations.expectations``.
        arguments: Its arguments; ``column`` is a column of the suite's frame.
    """

    type: str
    arguments: Mapping[str, object]

    def words(self) -> str:
        """Return what is expected, for people: ``account.email length is at most 100``."""
        form = _IN_WORDS.get(self.type, "{column}: {type}")
        words = form.format(type=self.type, **self.arguments)
        return words.replace(" length is there", " is there")  # lengths stand for texts


_IN_WORDS = {
    "ExpectColumnValuesToBeBetween": "{column} is at most {max_value}",
    "ExpectColumnValuesToBeInSet": "{column}",  # a helper column, whose name is the statement
    "ExpectColumnValuesToBeNull": "no {column}",
    "ExpectColumnValuesToBeUnique": "{column} occurs once",
    "ExpectColumnValuesToMatchRegex": "{column} has the right form",
    "ExpectColumnValuesToNotBeNull": "{column} is there",
}


@dataclass(frozen=True)
class Rule:
    """One expectation about one field, with what it means to people.

    Attributes:
        name: The rule's key, unique per suite and field.
        field: The target field (``account.email``) or the customer's own (``tenant.id``).
        severity: What a breach does.
        message: The finding, in words; ``{detail}`` stands for the row's value in
            ``detail_column``.
        expectation: What Great Expectations checks.
        hint: What a person does about it; ends the message.
        source: Where the value comes from in Partner Center, as a dotted path.
        reason_code: How a rejection by this rule is counted.
        detail_column: A column of the frame whose text, made of field names only, completes the
            message.
    """

    name: str
    field: str
    severity: Severity
    message: str
    expectation: Expectation
    hint: str = "Correct it in Partner Center."
    source: str = ""
    reason_code: ReasonCode = ReasonCode.VALIDATION
    detail_column: str | None = None

    def text(self, detail: str | None = None) -> str:
        """Return the finding's text."""
        return f"{self.message.format(detail=detail)} {self.hint}"


@dataclass(frozen=True)
class Chunk:
    """Some customers, before and after the mapping.

    Attributes:
        source: Source columns.
        account: Texts per account field.
        contact: Texts per contact field.
        sync_options: Texts per sync option.
        has_billing_profile: Per customer.
    """

    source: SourceColumns
    account: Mapping[str, Texts]
    contact: Mapping[str, Texts]
    sync_options: Mapping[str, Texts]
    has_billing_profile: Flags


@dataclass(frozen=True)
class Suite:
    """Rules with the columns that they look at.

    Attributes:
        name: Key in ``validation_results`` and ``validation_findings``.
        rules: In the order in which their findings are told.
        columns_of: Makes every column that the rules name, one value per customer of a chunk.
        needs_billing_profile: Whether customers without a billing profile are spared: all else
            would follow from that.
    """

    name: str
    rules: tuple[Rule, ...]
    columns_of: Callable[[Chunk], Columns]
    needs_billing_profile: bool = True


@dataclass(frozen=True)
class RuleResult:
    """What became of a rule on one frame.

    Attributes:
        rule: The rule.
        evaluated: Rows looked at.
        broken: Row numbers that break it, ascending.
    """

    rule: Rule
    evaluated: int
    broken: RowNumbers


def must_be_true(column: str) -> Expectation:
    """Expect a helper column, one boolean per row, to be true."""
    return Expectation("ExpectColumnValuesToBeInSet", {"column": column, "value_set": [True]})


def must_be_present(column: str) -> Expectation:
    """Expect a value in every row."""
    return Expectation("ExpectColumnValuesToNotBeNull", {"column": column})


def describe(mapping: FieldMapping) -> str:
    """Name a field in Partner Center's words, with its path: ``bill-to city (billingProfile.defaultAddress.city)``."""
    return f"{words_for(mapping.source)} ({', else '.join(mapping.sources)})"


_WORDS = {
    "tenant.id": "tenant id",
    "tenant.domainPrefix": "onmicrosoft.com domain",
    "reseller.mpnId": "reseller's MPN ID",
    "reseller.name": "reseller's name",
    "email": "e-mail",
    "phoneNumber": "phone number",
    "state": "state or province",
    "addressLine1": "address line 1",
    "addressLine2": "address line 2",
    "addressLine3": "address line 3",
}


def words_for(path: str) -> str:
    """Name a source path as Partner Center's pages do: ``bill-to phone number``."""
    last = path.rpartition(".")[2]
    plain = (
        _WORDS.get(path) or _WORDS.get(last) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", last).lower()
    )
    return f"bill-to {plain}" if path.startswith("billingProfile.") else plain
