"""Turns countries and states, as Partner Center writes them, into ids of the BSS organisation.

A state is looked up within its row's country only, by code and then by name: "WA" is a state of
several countries. What is not found becomes ``None``; whether that matters is for validation to
say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.config.targets import COUNTRY_TARGET
from customer_import.text import trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Texts

Ids = list[int | None]


def country_ids(texts: Texts, organisation: Organisation) -> Ids:
    """Return the BSS country ids of ISO 3166-1 alpha-2 codes, in any case."""
    known = organisation.country_ids
    found: dict[str | None, int | None] = {None: None}
    found |= {text: known.get(trim(text).upper()) for text in set(texts) if text is not None}
    return [found[text] for text in texts]


def state_ids(texts: Texts, countries: Ids, organisation: Organisation) -> Ids:
    """Return the BSS state ids of state codes or names, each within its row's country.

    Args:
        texts: Codes or names, in any case.
        countries: The rows' country ids; without one a state is not found.
        organisation: The look-up.
    """
    known = organisation.state_ids
    keys = {text: trim(text).casefold() for text in set(texts) if text is not None}
    return [
        None if text is None or country is None else known.get((country, keys[text]))
        for text, country in zip(texts, countries, strict=True)
    ]


def resolve_ids(
    selected: Mapping[str, Texts],
    fields: Mapping[str, FieldMapping],
    organisation: Organisation,
    countries: Ids,
) -> dict[str, Ids]:
    """Resolve every field of an entity that names a look-up.

    Args:
        selected: Texts per target field (``select_fields``).
        fields: The entity's mapping.
        organisation: The look-ups.
        countries: Country id per row, for states (``row_countries``).

    Returns:
        Target field to ids, for the fields with a look-up.
    """
    resolved: dict[str, Ids] = {}
    for target, texts in selected.items():
        transforms = fields[target].transforms
        if "country_id" in transforms:
            resolved[target] = country_ids(texts, organisation)
        elif "state_id" in transforms:
            resolved[target] = state_ids(texts, countries, organisation)
    return resolved


def row_countries(account: Mapping[str, Texts], organisation: Organisation, size: int) -> Ids:
    """Return the country id of each of ``size`` rows; ``None`` everywhere when an account's country is not mapped."""
    if COUNTRY_TARGET not in account:
        return [None] * size
    return country_ids(account[COUNTRY_TARGET], organisation)
