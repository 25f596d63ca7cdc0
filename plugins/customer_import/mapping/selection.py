"""Applies a mapping to source columns: which text goes into which BSS field.

Sources and fallbacks, and the transforms that turn text into text. Turning a country or a state
into a BSS id is ``lookups``; building what is sent is ``entities``. Validation checks exactly the
texts picked here, so changing a mapping changes what is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.config.mapping_rules import LOOKUP_TARGETS
from customer_import.text import trim, without_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Texts
    from customer_import.vocabulary import ImportType

LOOKUPS = frozenset(LOOKUP_TARGETS)
"""Transforms that need the organisation; ``select_fields`` leaves their input as text."""

_TYPED_TARGETS = frozenset({"email", "phone"})
"""Fields that are matched as a whole: format characters, which come with copying, are removed inside them, too."""

_TEXT_TRANSFORMS: dict[str, Callable[[str], str]] = {
    "trim": trim,
    "upper": str.upper,
    "lower": str.lower,
}


def fields_of(
    mapping: Mapping[str, FieldMapping], import_type: ImportType
) -> dict[str, FieldMapping]:
    """Return the fields that an import type writes."""
    return {target: field for target, field in mapping.items() if import_type in field.import_types}


def select_fields(
    sources: Mapping[str, Texts], fields: Mapping[str, FieldMapping], import_type: ImportType
) -> dict[str, Texts]:
    """Pick, per target field, the first value that is not blank, and transform it.

    Args:
        sources: Source to its texts, none of them blank (``SourceColumns.texts``).
        fields: Target field to where it comes from.
        import_type: Fields of other import types are left out.

    Returns:
        Target field to its texts, in the order of the customers.
    """
    done: dict[tuple[object, ...], Texts] = {}  # e-mail and phone go to account and contact alike
    columns: dict[str, Texts] = {}
    for target, field in fields_of(fields, import_type).items():
        is_typed = target.rpartition(".")[2] in _TYPED_TARGETS
        recipe = (field.sources, field.transforms, is_typed)
        if recipe not in done:
            values = _transform(_first(sources, field.sources), field.transforms)
            if is_typed and not _is_ascii(values):
                values = [value and without_format(value) for value in values]
            done[recipe] = values
        columns[target] = done[recipe]
    return columns


def _first(sources: Mapping[str, Texts], names: tuple[str, ...]) -> Texts:
    values = sources[names[0]]
    for name in names[1:]:
        if None in values:
            values = [
                fallback if value is None else value
                for value, fallback in zip(values, sources[name], strict=True)
            ]
    return values


def _transform(values: Texts, names: tuple[str, ...]) -> Texts:
    for name in names:
        if name not in LOOKUPS:
            change = _TEXT_TRANSFORMS[name]
            if change is trim and _is_ascii(values):
                change = str.strip
            values = [value and change(value) for value in values]
    return values


def _is_ascii(values: Texts) -> bool:
    """Whether a column is ASCII alone: without format characters, and ``str.strip`` does what ``trim`` does."""
    return all(map(str.isascii, filter(None, values)))
