"""Results as CSV, for a spreadsheet: what a spreadsheet would take for a formula is made text."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from customer_import.database.engine import reading
from customer_import.web.results import iterate_results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from customer_import.web.models import ResultView
    from customer_import.web.results import ResultFilter

COLUMNS = (
    "tenant_id",
    "tenant_name",
    "domain",
    "reseller_mpn_id",
    "reseller_name",
    "outcome",
    "reason_code",
    "reason",
    "warnings",
    "account_id",
    "contact_id",
    "attempts",
    "recorded_at",
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_ROWS_PER_PIECE = 500
_BYTE_ORDER_MARK = "\ufeff"  # without it Excel does not read UTF-8


def csv_pieces(engine: Engine, run_key: int, wanted: ResultFilter) -> Iterator[str]:
    """Give a run's matching results as CSV, in pieces; memory does not grow with their number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow(COLUMNS)
    with reading(engine) as connection:
        for number, result in enumerate(iterate_results(connection, run_key, wanted), 1):
            writer.writerow([_cell(result, name) for name in COLUMNS])
            if number % _ROWS_PER_PIECE == 0:
                yield _take(buffer)
    yield _take(buffer)


def neutralise(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def _cell(result: ResultView, name: str) -> str:
    value = getattr(result, name)
    if value is None:
        return ""
    if name == "warnings":
        value = " | ".join(value)
    if name == "recorded_at":
        return str(value.isoformat(timespec="seconds"))
    return neutralise(str(value))


def _take(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
