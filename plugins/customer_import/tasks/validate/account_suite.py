"""Rules about the account that is to be made of a customer: what the BSS refuses, and what a person should know of.

The suite follows the mapping: a field that is not mapped is not checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from customer_import.config.targets import (
    CITY_TARGET,
    COUNTRY_TARGET,
    POSTAL_CODE_TARGET,
    STATE_TARGET,
)
from customer_import.mapping.lookups import resolve_ids, row_countries
from customer_import.mapping.selection import fields_of
from customer_import.tasks.validate.field_rules import (
    advised,
    email_accepted,
    entity_columns,
    fields_not_text,
    length_rules,
    required,
    text_rule,
)
from customer_import.tasks.validate.rules import Chunk, Columns, Rule, Suite, describe, must_be_true
from customer_import.text import trim
from customer_import.vocabulary import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Flags, Texts
    from customer_import.runs.run import Run
    from customer_import.tasks.validate.country_checks import CountryChecks

NAME = "account"
_ALWAYS_REQUIRED = frozenset({"name", COUNTRY_TARGET})

_THERE = "account.{} is there or not needed"
_KNOWN = "account.{} is known"
_FITS = "account.{} fits the country"


def account_suite(run: Run, checks: CountryChecks) -> Suite:
    """Return the suite for a run."""
    fields = fields_of(run.mappings.account, run.import_type)

    rules = (*_presence(fields), *_validity(fields), *length_rules(NAME, fields), text_rule(NAME))

    def columns_of(chunk: Chunk) -> Columns:
        helpers = _helper_columns(chunk, fields, checks)
        return entity_columns(
            NAME, rules, chunk.account, helpers, fields_not_text(fields, chunk.source)
        )

    return Suite(NAME, rules, columns_of)


def _presence(fields: Mapping[str, FieldMapping]) -> list[Rule]:
    rules = []
    for target, field in fields.items():
        column = f"account.{target}"
        if field.required or target in _ALWAYS_REQUIRED:
            rules.append(required(column, field))
        elif target in {"email", "phone"}:
            rules.append(advised(column, field))
        elif target in {CITY_TARGET, POSTAL_CODE_TARGET, STATE_TARGET}:
            rules.append(advised(column, field, must_be_true(_THERE.format(target))))
    return rules


def _validity(fields: Mapping[str, FieldMapping]) -> list[Rule]:
    rules = []
    for target, field in fields.items():
        column = f"account.{target}"
        if target == "email":
            rules.append(email_accepted(column, field))
        elif "country_id" in field.transforms:
            rules.append(_known(target, field, Severity.CRITICAL))
        elif "state_id" in field.transforms:
            rules.append(_known(target, field, Severity.WARNING))
        elif target in {"phone", POSTAL_CODE_TARGET}:
            rules.append(_fitting(target, field))
    return rules


def _known(target: str, field: FieldMapping, severity: Severity) -> Rule:
    is_critical = severity is Severity.CRITICAL
    return Rule(
        name="known",
        field=f"account.{target}",
        severity=severity,
        message=f"The {describe(field)} is not a country of the BSS organisation."
        if is_critical
        else f"The {describe(field)} is not a state that the BSS has for the country; it is left out.",
        hint="Correct it in Partner Center, or activate the country in the BSS."
        if is_critical
        else "Correct it in Partner Center, or enter the state at the account in the BSS.",
        source=field.source,
        expectation=must_be_true(_KNOWN.format(target)),
    )


def _fitting(target: str, field: FieldMapping) -> Rule:
    return Rule(
        name="fits_country",
        field=f"account.{target}",
        severity=Severity.WARNING,
        message=f"The {describe(field)} does not look like one of its country.",
        source=field.source,
        expectation=must_be_true(_FITS.format(target)),
    )


def _helper_columns(
    chunk: Chunk, fields: Mapping[str, FieldMapping], checks: CountryChecks
) -> dict[str, Flags]:
    account, size = chunk.account, chunk.source.size
    countries = account.get(COUNTRY_TARGET, [None] * size)
    spelled = {code: code and trim(code).upper() for code in set(countries)}
    codes = [spelled[code] for code in countries]
    columns: dict[str, list[bool]] = {}
    needs: dict[str, Callable[[str | None], bool]] = {
        CITY_TARGET: checks.needs_city,
        POSTAL_CODE_TARGET: checks.needs_postal_code,
        STATE_TARGET: checks.needs_state,
    }
    for target, is_needed in needs.items():
        if target in account:
            needed = {code: is_needed(code) for code in set(codes)}
            columns[_THERE.format(target)] = [
                text is not None or not needed[code]
                for text, code in zip(account[target], codes, strict=True)
            ]
    if "phone" in account:
        columns[_FITS.format("phone")] = checks.phones_fit(account["phone"], codes)
    if POSTAL_CODE_TARGET in account:
        columns[_FITS.format(POSTAL_CODE_TARGET)] = checks.postal_codes_fit(
            account[POSTAL_CODE_TARGET], codes
        )
    columns |= _known_columns(account, fields, checks.organisation, size)
    return {name: np.array(values, np.bool_) for name, values in columns.items()}


def _known_columns(
    account: Mapping[str, Texts],
    fields: Mapping[str, FieldMapping],
    organisation: Organisation,
    size: int,
) -> dict[str, list[bool]]:
    countries = row_countries(account, organisation, size)
    resolved = resolve_ids(account, fields, organisation, countries)
    return {
        _KNOWN.format(target): [
            text is None or found is not None
            for text, found in zip(account[target], ids, strict=True)
        ]
        for target, ids in resolved.items()
    }
