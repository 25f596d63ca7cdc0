"""Writes ``$filter`` expressions of the BSS (docs/api/bss.md section 2.3): pure text, no network."""

from __future__ import annotations


def literal(value: str | float) -> str:
    """Return a value as OData writes it: text in single quotes with quotes doubled, numbers and booleans bare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def equals(field: str, value: str | float) -> str:
    """Return the condition that a field equals a value; the HTTP client encodes it for the URL."""
    return f"{field} eq {literal(value)}"


def greater(field: str, value: float) -> str:
    """Return the condition that a field is greater than a number."""
    return f"{field} gt {literal(value)}"
