"""Results as CSV, for a spreadsheet: what a spreadsheet could take for a formula is made text.

Which separator a spreadsheet uses is its user's affair. With another one than the comma a cell begins in the middle of
ours, so every place in a text where a cell could begin is looked at, not only its first character.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from customer_import.database.engine import reading
from customer_import.web.changes import ChangeReader
from customer_import.web.drift import iterate_drift
from customer_import.web.results import iterate_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Engine

    from customer_import.web.drift import DriftFilter
    from customer_import.web.models import DriftView, FieldChange, ResultView
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
    "changes",
    "account_id",
    "contact_id",
    "attempts",
    "read_at",
    "recorded_at",
)
DRIFT_COLUMNS = (
    "tenant_id",
    "tenant_name",
    "domain",
    "kind",
    "title",
    "detail",
    "changes",
    "to_do",
    "account_id",
    "contact_id",
    "found_at",
)
_STARTS = "[=+@＝＋＠－-]"
_FORMULA = re.compile(
    _STARTS  # looked for first: a search for what stands before it would look at every character
    # Not within a word, for no letter or digit separates cells ...
    + rf"(?<![^\W_]{_STARTS})"
    # ... and not a sign between words, as in "A - B": with blanks for separators it is alone in its cell.
    + rf"(?!(?<=[^\W_] {_STARTS}) )"
)
_ROWS_PER_PIECE = 500
_BYTE_ORDER_MARK = "\ufeff"  # without it Excel does not read UTF-8


def csv_pieces(engine: Engine, run_key: int, wanted: ResultFilter) -> Iterator[str]:
    """Give a run's matching results as CSV, in pieces; memory does not grow with their number."""
    with reading(engine) as connection:
        values = ChangeReader(connection, run_key)
    yield from _pieces(COLUMNS, iterate_results(engine, run_key, wanted, values=values))


def drift_pieces(engine: Engine, run_key: int, wanted: DriftFilter) -> Iterator[str]:
    """Give a check's matching findings as CSV, in pieces; memory does not grow with their number."""
    with reading(engine) as connection:
        values = ChangeReader(connection, run_key)
    yield from _pieces(DRIFT_COLUMNS, iterate_drift(engine, run_key, wanted, values))


def _pieces(columns: Sequence[str], items: Iterable[ResultView | DriftView]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow(columns)
    for number, item in enumerate(items, 1):
        writer.writerow([_cell(item, name) for name in columns])
        if number % _ROWS_PER_PIECE == 0:
            yield _take(buffer)
    yield _take(buffer)


def neutralise(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: an apostrophe before whatever could begin one."""
    return _FORMULA.sub(_guarded, text)


def _guarded(found: re.Match[str]) -> str:
    return f"'{found[0]}"


def _cell(item: ResultView | DriftView, name: str) -> str:
    value = getattr(item, name)
    if value is None:
        return ""
    if name == "warnings":
        value = " | ".join(value)
    if name == "changes":
        value = " | ".join(map(_change, value))
    if name in {"read_at", "recorded_at", "found_at"}:
        return str(value.isoformat(timespec="seconds"))
    return neutralise(str(value))


def _change(change: FieldChange) -> str:
    """Return ``billingAddress.countryId: 17 (Greece) → 18 (Italy) [overwrite]``."""
    before = _named(change.before, change.before_name, "(was empty)")
    after = _named(change.after, change.after_name, "(emptied)")
    rule = f" [{change.rule}]" if change.rule else ""
    return f"{change.field}: {before} → {after}{rule}"


def _named(value: str | None, name: str | None, empty: str) -> str:
    if value is None:
        return empty
    return f"{value} ({name})" if name else value


def _take(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
