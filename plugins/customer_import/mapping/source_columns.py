"""Staged customers as columns of text: one per source that a mapping can name, one text per customer in each.

Text is what the mapping works on, so numbers and booleans become text here and anything else counts
as missing. Blank text (``text.is_blank``) is missing too. Missing is ``None`` in every column. Nothing is
trimmed or changed in case: that is the mapping's to say. Texts are clean since they were read
(``http.reader``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from customer_import.config.mapping import DELEGATED_SOURCES, SEVERAL_PREFIXES
from customer_import.errors import CustomerImportError
from customer_import.text import INVISIBLE, is_blank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from customer_import.bss.models import Organisation
    from customer_import.runs.run import Run
    from customer_import.runs.staged_customers import StagedRow

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
"""One boolean per row."""
Texts = list[str | None]
"""One text per customer, ``None`` where it is missing."""

_ROWS_PARSED = 1_000


@dataclass(frozen=True)
class SourceColumns:
    """The sources of a chunk of customers.

    Attributes:
        texts: Source (``billingProfile.email``, ``tenant.id``, ...) to its texts.
        not_text: Per source that holds lists or objects, the rows that do.
        hidden: Per source that Partner Center may have and does not show, the rows without it.
        size: Customers.
    """

    texts: Mapping[str, Texts]
    not_text: Mapping[str, Flags]
    size: int
    hidden: Mapping[str, Flags] = field(default_factory=dict)


def source_columns(
    rows: Sequence[StagedRow], run: Run, organisation: Organisation
) -> SourceColumns:
    """Read staged rows (``read_customers``) into columns.

    Args:
        rows: The staged customers.
        run: Names the paths that the mapping uses, and the resellers' BSS accounts.
        organisation: Holds the ids of the run's responsible user and permission rule.

    Raises:
        CustomerImportError: A staged row is not the JSON object that extraction writes.
    """
    columns: dict[str, Texts] = {}
    not_text: dict[str, Flags] = {}
    for path, values in _customer_columns(rows, run).items():
        columns[path] = _as_text(values)
        if not {list, dict}.isdisjoint(map(type, values)):
            not_text[path] = np.array([type(value) in {list, dict} for value in values], np.bool_)
    columns |= _derived_columns(rows, run, organisation)
    return SourceColumns(columns, not_text, len(rows), _hidden(rows, columns))


def _hidden(rows: Sequence[StagedRow], columns: Mapping[str, Texts]) -> dict[str, Flags]:
    is_kept_back = np.array([row.has_delegated_access is False for row in rows], np.bool_)
    if not is_kept_back.any():
        return {}
    return {
        source: is_kept_back & [text is None for text in columns[source]]
        for source in DELEGATED_SOURCES & columns.keys()
    }


def _customer_columns(rows: Sequence[StagedRow], run: Run) -> dict[str, list[object]]:
    """Return the JSON values of every mapped path.

    Some rows are parsed at a time, because objects take several times the memory of columns.
    """
    paths = (*run.mappings.customer_paths, SEVERAL_PREFIXES)
    columns: dict[str, list[object]] = {path: [] for path in paths}
    for first in range(0, len(rows), _ROWS_PARSED):
        sources = [row.source or b"absent" for row in rows[first : first + _ROWS_PARSED]]
        joined = b"[" + b",".join(sources) + b"]"
        try:
            bodies = orjson.loads(joined)
        except orjson.JSONDecodeError as error:
            message = (
                f"a staged customer of run {run.key} is not JSON; clear extract_customers to stage "
                "the customers again"
            )
            raise CustomerImportError(message) from error
        for path, column in columns.items():
            column.extend([body.get(path) for body in bodies])
    return columns


def _derived_columns(
    rows: Sequence[StagedRow], run: Run, organisation: Organisation
) -> dict[str, Texts]:
    accounts = run.instance.reseller_bss_accounts
    constant = {
        "run.responsibleUserId": organisation.responsible_user_id,
        "run.permissionRuleId": organisation.permission_rule_id,
    }
    varying: dict[str, list[Any]] = {  # Any: text or id
        "tenant.id": [row.tenant_id for row in rows],
        "tenant.domainPrefix": [row.domain_prefix for row in rows],
        "reseller.mpnId": [row.reseller_mpn_id for row in rows],
        "reseller.name": [row.reseller_name for row in rows],
        "reseller.bssAccountId": [accounts.get(row.reseller_mpn_id or "") for row in rows],
    }
    derived = {source: _as_text(values) for source, values in varying.items()}
    return derived | {source: _as_text([value]) * len(rows) for source, value in constant.items()}


def _as_text(values: list[Any]) -> Texts:  # Any: JSON
    """Turn JSON values into text or ``None``, which blank text is too."""
    kinds = set(map(type, values))
    if kinds == {NoneType}:
        return values
    if not kinds <= {str, NoneType}:
        values = [value if type(value) is str else _other_as_text(value) for value in values]
    return [  # the first character tells of nearly every text that it is not blank
        text if text and (text[0] not in INVISIBLE or not is_blank(text)) else None
        for text in values
    ]


def _other_as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
