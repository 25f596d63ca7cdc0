"""Staged customers as one frame of text: a column per source that a mapping can name, a row per customer.

Text is what the mapping works on, so numbers and booleans become text here and anything else counts
as missing. Blank text is missing too. Missing is ``None`` in every column. Nothing is trimmed or
changed in case: that is the mapping's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pandas as pd

from customer_import.errors import CustomerImportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from customer_import.bss.models import Organisation
    from customer_import.run import Run
    from customer_import.transform.rows import StagedRow

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
"""One boolean per row."""
Text = str | None
_NUL = b"\\u0000"


@dataclass(frozen=True)
class SourceFrame:
    """The sources of a chunk of customers.

    Attributes:
        frame: A text column per source (``billingProfile.email``, ``tenant.id``, ...), indexed
            0..n-1.
        not_text: Per source that holds lists or objects, the rows that do.
    """

    frame: pd.DataFrame
    not_text: Mapping[str, Flags]


def source_frame(rows: Sequence[StagedRow], run: Run, organisation: Organisation) -> SourceFrame:
    """Read staged rows (``read_customers``) into columns.

    Args:
        rows: The staged customers.
        run: Names the paths that the mapping uses, and the resellers' BSS accounts.
        organisation: Holds the ids of the run's responsible user and permission rule.

    Raises:
        CustomerImportError: A staged row is not the JSON object that extraction writes.
    """
    joined = b"[" + b",".join(row.source or b"{}" for row in rows) + b"]"
    try:
        bodies = orjson.loads(joined)
    except orjson.JSONDecodeError as error:
        message = f"a staged customer of run {run.id} is not JSON; clear extract_customers to stage the customers again"
        raise CustomerImportError(message) from error
    has_nul = _NUL in joined
    columns: dict[str, list[Text]] = {}
    not_text: dict[str, Flags] = {}
    for path in run.mappings.customer_paths:
        raw = [body.get(path) for body in bodies]
        columns[path] = _as_text(raw, has_nul=has_nul)
        if not {list, dict}.isdisjoint(map(type, raw)):
            not_text[path] = np.array([type(value) in {list, dict} for value in raw], np.bool_)
    columns |= _derived_columns(rows, run, organisation)
    return SourceFrame(pd.DataFrame(columns, dtype=object), not_text)


def _derived_columns(
    rows: Sequence[StagedRow], run: Run, organisation: Organisation
) -> dict[str, list[Text]]:
    accounts = run.instance.reseller_bss_accounts
    constant = {
        "run.responsibleUserId": organisation.responsible_user_id,
        "run.permissionRuleId": organisation.permission_rule_id,
    }
    varying = {
        "tenant.id": [row.tenant_id for row in rows],
        "tenant.domainPrefix": [row.domain_prefix for row in rows],
        "reseller.mpnId": [row.reseller_mpn_id for row in rows],
        "reseller.name": [row.reseller_name for row in rows],
        "reseller.bssAccountId": [accounts.get(row.reseller_mpn_id) for row in rows],
    }
    derived = {source: _as_text(values, has_nul=False) for source, values in varying.items()}
    return derived | {
        source: _as_text([value], has_nul=False) * len(rows) for source, value in constant.items()
    }


def _as_text(values: Sequence[object], *, has_nul: bool) -> list[Text]:
    """Turn JSON values into text or ``None``; NUL is dropped because PostgreSQL and the BSS refuse it in text."""
    texts = [
        value if type(value) is str or value is None else _other_as_text(value) for value in values
    ]
    if has_nul:
        texts = [text.replace("\0", "") if text else text for text in texts]
    return [text if text and not text.isspace() else None for text in texts]


def _other_as_text(value: object) -> Text:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
