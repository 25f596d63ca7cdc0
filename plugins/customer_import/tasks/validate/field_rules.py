"""Rules that a field of any entity can have: present, short enough, text at all, an e-mail address.

The suites say which field has which of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from customer_import.config.mapping import DELEGATED_SOURCES
from customer_import.config.targets import ID_TARGETS
from customer_import.mapping.selection import LOOKUPS
from customer_import.tasks.validate.rules import (
    Columns,
    Expectation,
    Rule,
    describe,
    must_be_present,
)
from customer_import.vocabulary import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Flags, SourceColumns, Texts

Lengths = np.ndarray[tuple[int], np.dtype[np.float64]]

_LONGEST_EMAIL = 320
_LOCAL = r"[a-zA-Z0-9+_\-.]"
_LABELS = r"(?:[a-zA-Z0-9_\-]++\.)+[a-zA-Z0-9]{2,20}"


def email_pattern(max_length: int | None) -> str:
    r"""Return the BSS's pattern for e-mail addresses (docs/api/bss.md section 2.5), in a form that takes linear time.

    The BSS's own, ``^([a-zA-Z0-9+_\-\.]+@([a-zA-Z0-9_\-]+\.)+[a-zA-Z0-9]{2,20})*$``, repeats a
    repetition and can take for ever to refuse a hostile text. This one accepts the same texts but
    the empty one, as far as they are not longer than the target: an address that is cut is another
    address.
    """
    length = max_length or _LONGEST_EMAIL
    run_together = (
        rf"(?>@{_LABELS}{_LOCAL}+(?=@))*+"  # possessive: "@" alone decides where one ends
    )
    return rf"\A(?=.{{1,{length}}}\Z){_LOCAL}++{run_together}@{_LABELS}\Z"


def required(column: str, mapping: FieldMapping) -> Rule:
    """The customer is rejected without a value."""
    return Rule(
        name="required",
        field=column,
        severity=Severity.CRITICAL,
        message=_missing(mapping),
        hint="Add it in Partner Center.",
        source=mapping.source,
        expectation=must_be_present(length_of(column)),
    )


def advised(column: str, mapping: FieldMapping, expectation: Expectation | None = None) -> Rule:
    """A missing value is reported; the account is imported without it."""
    return Rule(
        name="present",
        field=column,
        severity=Severity.WARNING,
        message=_missing(mapping),
        hint="Add it in Partner Center.",
        source=mapping.source,
        expectation=expectation or must_be_present(length_of(column)),
    )


def _missing(mapping: FieldMapping) -> str:
    said = f"The {describe(mapping)} is missing"
    if DELEGATED_SOURCES.isdisjoint(mapping.sources):
        return f"{said}."
    return f"{said}, or not shown to a partner without delegated access (GDAP)."


def email_accepted(column: str, mapping: FieldMapping) -> Rule:
    """An e-mail address that the BSS would refuse rejects the customer."""
    pattern = email_pattern(mapping.max_length)
    return Rule(
        name="email_pattern",
        field=column,
        severity=Severity.CRITICAL,
        message=f"The {describe(mapping)} is not an e-mail address that the BSS takes.",
        hint="Enter one address of plain letters and digits in Partner Center.",
        source=mapping.source,
        expectation=Expectation(
            "ExpectColumnValuesToMatchRegex", {"column": column, "regex": pattern}
        ),
    )


def beyond(
    fields: Mapping[str, FieldMapping], *others: Mapping[str, FieldMapping]
) -> dict[str, FieldMapping]:
    """Return the fields of an entity whose texts and limits are not those of a field of the others."""

    def what(field: FieldMapping) -> tuple[object, ...]:
        return (field.sources, field.transforms, field.max_length)

    known = {what(field) for other in others for field in other.values()}
    return {target: field for target, field in fields.items() if what(field) not in known}


def length_rules(prefix: str, fields: Mapping[str, FieldMapping]) -> list[Rule]:
    """Text longer than its target is reported; it will be cut. Looked-up fields and e-mail addresses are never cut."""
    return [
        Rule(
            name="max_length",
            field=f"{prefix}.{target}",
            severity=Severity.WARNING,
            message=f"The {describe(field)} is longer than {field.max_length} characters; it is cut.",
            hint="Shorten it in Partner Center if the beginning does not do.",
            source=field.source,
            expectation=Expectation(
                "ExpectColumnValuesToBeBetween",
                {"column": length_of(f"{prefix}.{target}"), "max_value": field.max_length},
            ),
        )
        for target, field in fields.items()
        if _is_cut(target, field)
    ]


def length_of(column: str) -> str:
    """Name the column with the lengths of a text column's texts."""
    return f"{column} length"


def lengths(texts: Texts) -> Lengths:
    """Return the characters of each text, NaN where it is missing.

    Whether a text is there, and how long it is, Great Expectations sees ten times as fast in a
    column of numbers.
    """
    return np.array([len(text) if text else np.nan for text in texts], np.float64)


def _is_cut(target: str, field: FieldMapping) -> bool:
    return bool(
        field.max_length
        and target != "email"
        and LOOKUPS.isdisjoint(field.transforms)
        and target not in ID_TARGETS
    )


def text_rule(prefix: str) -> Rule:
    """A list or an object where text is due counts as missing and is reported."""
    column = _not_text(prefix)
    return Rule(
        name="is_text",
        field=prefix,
        severity=Severity.WARNING,
        message="Partner Center sent a list or an object instead of text for: {detail}. It counts as missing.",
        expectation=Expectation("ExpectColumnValuesToBeNull", {"column": column}),
        detail_column=column,
    )


def entity_columns(
    prefix: str,
    rules: Iterable[Rule],
    texts: Mapping[str, Texts],
    helpers: Mapping[str, Flags],
    not_text: Texts,
) -> Columns:
    """Make the columns that the rules of an entity's suite look at, and no others.

    Args:
        prefix: Of the entity's columns.
        rules: The suite's.
        texts: Per target field.
        helpers: Columns of the suite's own.
        not_text: What ``fields_not_text`` returned.
    """
    columns: Columns = {_not_text(prefix): not_text, **helpers}
    looked_at = {rule.expectation.arguments["column"] for rule in rules}
    for target, values in texts.items():
        column = f"{prefix}.{target}"
        if column in looked_at:
            columns[column] = values
        if length_of(column) in looked_at:
            columns[length_of(column)] = lengths(values)
    return columns


def fields_not_text(fields: Mapping[str, FieldMapping], source: SourceColumns) -> Texts:
    """Return per row the fields, in words, that are lists or objects; ``None`` where there are none."""
    names: Texts = [None] * source.size
    for path, flags in source.not_text.items():
        field = next((field for field in fields.values() if path in field.sources), None)
        if field is None:
            continue
        for row in flags.nonzero()[0].tolist():
            names[row] = f"{names[row]}, {describe(field)}" if names[row] else describe(field)
    return names


def _not_text(prefix: str) -> str:
    return f"{prefix} fields that are not text"
