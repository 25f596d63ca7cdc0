"""Turns views into HTML: the template environment, and the words in which values are shown.

Everything is escaped; no template holds a script or a style, so that the Content-Security-Policy
can forbid both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from customer_import import __version__
from customer_import.reasons import find_meaning
from customer_import.tasks.load.candidates import SIGN_WORDS
from customer_import.vocabulary import (
    DRIFT,
    DecisionKind,
    FieldFate,
    ImportType,
    Mode,
    NoticeKind,
    Outcome,
)
from customer_import.web.static_files import static_url

if TYPE_CHECKING:
    from datetime import datetime

    from customer_import.web.models import ResultView, SentField

_FOLDER = Path(__file__).parent / "templates"

TYPE_TITLES = {
    ImportType.DIRECT: "Direct",
    ImportType.INDIRECT: "Indirect",
    ImportType.TENANT_RESELLER: "Tenant Reseller",
}
MODE_TITLES = {
    Mode.IMPORT: "Import",
    Mode.PREVIEW: "Preview",
    Mode.DISCOVER: "Get hierarchy",
    Mode.CHECK: "Check",
}
DECISION_TITLES = {
    DecisionKind.EXCLUDE: "Excluded",
    DecisionKind.LINK: "Linked to",
    DecisionKind.CREATE: "To be created",
    DecisionKind.RESELLER: "Reseller",
    DecisionKind.EMPTY: "No customers",
}
NOTICE_TITLES = {
    NoticeKind.FAILED: "Failed",
    NoticeKind.PROBLEMS: "Failed or rejected customers",
    NoticeKind.WAITING: "Customers wait",
    NoticeKind.NEW_CUSTOMERS: "New customers",
    NoticeKind.OVERDUE: "Overdue",
    NoticeKind.EXPIRING: "Secrets end soon",
}
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
MOST_SHOWN = 2_000
"""Characters of one value on a page."""


def render(
    template: str, status_code: int = 200, headers: dict[str, str] | None = None, **values: object
) -> HTMLResponse:
    """Return a template as a response."""
    return HTMLResponse(_environment.get_template(template).render(values), status_code, headers)


def query(state: dict[str, Any], **changes: object) -> Markup:
    """Return a query string: the page's state with changes, without what is empty."""
    pairs = {name: value for name, value in (state | changes).items() if value not in {None, ""}}
    return Markup(escape("?" + urlencode(pairs)))  # noqa: S704 - escaped


def words(value: str) -> str:
    """Return a key such as ``not_imported`` as words."""
    return value.replace("_", " ").capitalize()


def shortened(value: object) -> object:
    """Return what a page shows of a value: of a text that is too long for a page its beginning, and how long it is.

    URLs are left whole: their builders bound them.
    """
    if type(value) is not str or len(value) <= MOST_SHOWN:
        return value
    return f"{value[:MOST_SHOWN]}… (shortened; {len(value):,} characters)"


def moment(value: datetime | None) -> str:
    """Return a moment as text, in UTC."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value else ""


def duration(seconds: float) -> str:
    """Return a duration in words short enough for a table."""
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"


def ago(seconds: float) -> str:
    """Return in words how long ago something was, to the unit that matters."""
    for unit, length in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        # Up to two days in hours: whether a night was missed is the question.
        if seconds >= (2 * length if unit == "day" else length):
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def fields_title(outcome: Outcome) -> str:
    """Return what the mapped values of a customer with this outcome are."""
    if outcome in {Outcome.CREATED, Outcome.UPDATED}:
        return "What this run sent"
    if outcome in {Outcome.WOULD_CREATE, Outcome.WOULD_UPDATE}:
        return "Preview: what an import would send"
    return "What the mapping gives"


def field_state(result: ResultView, field: SentField) -> str:
    """Return in words how the BSS's value of a field stands to the mapped one, where it is not shown itself."""
    if field.change:
        return "was empty"
    if field.fate:
        return _LEFT_ALONE[field.fate]
    if result.outcome in {Outcome.CREATED, Outcome.WOULD_CREATE}:
        return "no account"
    if result.fields is None:
        return "not compared" if result.outcome is Outcome.UNCHANGED else ""
    return "equal"


_LEFT_ALONE = {
    FieldFate.CHANGED: "not kept any more",
    FieldFate.EMPTIED: "not kept any more",
    FieldFate.NO_VALUE: "left alone: Partner Center has no value",
    FieldFate.KEEP: "left alone: keep",
    FieldFate.FILL: "left alone: fill, and the BSS has a value",
    FieldFate.COUNTRY: "left alone: goes with the country",
}


def fate_title(fate: str, mode: Mode | None) -> str:
    """Return what a count of fields counts."""
    would = {"changed": "Would change", "emptied": "Would empty", "left_alone": "Would leave alone"}
    return would[fate] if mode is Mode.PREVIEW else words(fate)


def fates_by_field(result: ResultView) -> str:
    """Return in words what became of the BSS fields that differed: ``changed: name, email; left alone: phone``."""
    groups: dict[str, list[str]] = {}
    for name, fate in (result.fields or {}).items():
        is_written = fate in {FieldFate.CHANGED, FieldFate.EMPTIED}
        groups.setdefault(fate.value if is_written else "left alone", []).append(name)
    return "; ".join(f"{group}: {', '.join(names)}" for group, names in groups.items())


def log_path(dag_id: str, airflow_run_id: str, task_id: str | None, map_index: int | None) -> str:
    """Return the place of a task log in Airflow's UI, relative to the pages."""
    path = f"../dags/{quote(dag_id, safe='')}/runs/{quote(airflow_run_id, safe='')}"
    if task_id:
        path += f"/tasks/{quote(task_id, safe='')}"
        if map_index is not None and map_index >= 0:
            path += f"/mapped/{map_index}"
    return path


_environment = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    finalize=shortened,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(words=words, moment=moment, duration=duration, ago=ago)
_environment.globals.update(
    version=__version__,
    query=query,
    static_url=static_url,
    log_path=log_path,
    fields_title=fields_title,
    field_state=field_state,
    fate_title=fate_title,
    fates_by_field=fates_by_field,
    sign_words=SIGN_WORDS,
    type_titles=TYPE_TITLES,
    mode_titles=MODE_TITLES,
    decision_titles=DECISION_TITLES,
    notice_titles=NOTICE_TITLES,
    drift=DRIFT,
    find_meaning=find_meaning,
    outcomes=tuple(Outcome),
)
