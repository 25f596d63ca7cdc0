"""Rules about the contact that is to be made of a customer: it needs a first or a last name.

What comes from the same Partner Center field as the account's own, with the same limit, is not reported twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from customer_import.mapping.selection import fields_of
from customer_import.tasks.validate.field_rules import (
    beyond,
    email_accepted,
    entity_columns,
    fields_not_text,
    length_rules,
    required,
    text_rule,
)
from customer_import.tasks.validate.rules import Chunk, Columns, Rule, Suite, describe, must_be_true
from customer_import.vocabulary import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Flags
    from customer_import.runs.run import Run

NAME = "contact"
_HAS_NAME = "contact has a first or last name"


def contact_suite(run: Run) -> Suite:
    """Return the suite for a run."""
    every = fields_of(run.mappings.contact, run.import_type)
    fields = beyond(every, fields_of(run.mappings.account, run.import_type))

    emails = [email_accepted("contact.email", fields["email"])] if "email" in fields else []
    needed = [
        required(f"contact.{target}", field) for target, field in every.items() if field.required
    ]
    rules = (_name_rule(every), *needed, *emails, *length_rules(NAME, fields), text_rule(NAME))

    def columns_of(chunk: Chunk) -> Columns:
        not_text = fields_not_text(fields, chunk.source)
        return entity_columns(NAME, rules, chunk.contact, {_HAS_NAME: _has_name(chunk)}, not_text)

    return Suite(NAME, rules, columns_of)


def _name_rule(fields: Mapping[str, FieldMapping]) -> Rule:
    names = [describe(fields[target]) for target in ("firstName", "lastName") if target in fields]
    return Rule(
        name="has_name",
        field="contact.name",
        severity=Severity.CRITICAL,
        message=f"The contact has neither a first nor a last name: {' and '.join(names) or 'no field'} empty.",
        hint="Fill in one of them in Partner Center.",
        source=", ".join(
            fields[target].source for target in ("firstName", "lastName") if target in fields
        ),
        expectation=must_be_true(_HAS_NAME),
    )


def _has_name(chunk: Chunk) -> Flags:
    has_name = np.zeros(chunk.source.size, np.bool_)
    for target in ("firstName", "lastName"):
        if target in chunk.contact:
            has_name |= np.array([text is not None for text in chunk.contact[target]], np.bool_)
    return has_name
