"""How a tenant's name is stored so that people find it: folded, and by the words in it.

A name is looked for as it is folded (``text.fold``), so that upper and lower case are the same in every script, on both
databases. The table ``name_beginnings`` holds how each word of a name goes on: what begins where a word begins is found
by its index, however many names there are.

Why: docs/decisions/0015-name-search.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from customer_import.database.bulk import insert_rows
from customer_import.database.tables import name_beginnings
from customer_import.text import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

BEGINNING_LENGTH = 32
"""Characters that are kept from where a word begins."""
_KEY_LENGTH = 300
"""Characters of name and domain that are searched, as in the column ``search_key``."""
_MOST_BEGINNINGS = 20
_WORD = re.compile(r"(?<!\w)\w|(?<!\S)\S")
_MICROSOFT = ".onmicrosoft.com"


def folded_name(name: str | None, domain: str | None) -> str | None:
    """Return what ``name_folded`` holds: nothing where both databases fold by themselves, as they do ASCII letters."""
    text = f"{name or ''} {domain or ''}"
    return None if text.isascii() else fold(text)[:_KEY_LENGTH]


def beginnings(name: str | None, domain: str | None) -> set[str]:
    """Return how name and domain go on from where each of their words begins; a domain's ending is no word."""
    text = fold(f"{name or ''} {domain or ''}")[:_KEY_LENGTH]
    host = fold(domain or "")
    ending = len(_MICROSOFT) if host.endswith(_MICROSOFT) else len(host) - host.rfind(".")
    last = len(text) - ending if "." in host else len(text)
    found: dict[str, None] = {}
    for match in _WORD.finditer(text, 0, max(last, 0)):
        found[text[match.start() : match.start() + BEGINNING_LENGTH].strip()] = None
        if len(found) == _MOST_BEGINNINGS:
            break
    return set(found)


def record_names(
    connection: Connection, tenants: Iterable[tuple[str, str | None, str | None]]
) -> None:
    """Let tenants be found by their names; what they were called before finds them, too, as long as a run has it.

    Args:
        connection: An open write transaction.
        tenants: Tenant id, name and domain of each.
    """
    rows = sorted(
        {
            (beginning, tenant_id)
            for tenant_id, name, domain in tenants
            for beginning in beginnings(name, domain)
        }
    )  # in this order two writers wait for each other instead of locking each other out
    insert_rows(connection, name_beginnings, ("beginning", "tenant_id"), rows, only_missing=True)
