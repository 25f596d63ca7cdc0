"""Rules about the sync options that are to be made of a customer: what is missing, and what is cut.

What comes from the same Partner Center field as a value of account or contact, with the same limit, is not reported
twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.config.mapping import CUSTOMER_SOURCES
from customer_import.mapping.selection import fields_of
from customer_import.tasks.validate.field_rules import (
    beyond,
    entity_columns,
    fields_not_text,
    length_rules,
    required,
    text_rule,
)
from customer_import.tasks.validate.rules import Chunk, Columns, Suite

if TYPE_CHECKING:
    from customer_import.runs.run import Run

NAME = "sync_options"


def options_suite(run: Run) -> Suite:
    """Return the suite for a run."""
    every = fields_of(run.mappings.sync_options, run.import_type)
    fields = beyond(
        every,
        fields_of(run.mappings.account, run.import_type),
        fields_of(run.mappings.contact, run.import_type),
    )
    needed = [
        required(f"{NAME}.{target}", field) for target, field in every.items() if field.required
    ]
    is_of_customer = any(CUSTOMER_SOURCES.intersection(field.sources) for field in fields.values())
    texts = [text_rule(NAME)] if is_of_customer else []
    rules = (*needed, *length_rules(NAME, fields), *texts)

    def columns_of(chunk: Chunk) -> Columns:
        not_text = fields_not_text(fields, chunk.source)
        return entity_columns(NAME, rules, chunk.sync_options, {}, not_text)

    return Suite(NAME, rules, columns_of)
