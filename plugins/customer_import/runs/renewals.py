"""Which runs store the refresh token that their sign-ins renew, and when one was stored last.

Each sign-in renews the token, and Microsoft leaves the one that was used valid. So one a day is enough, and every one
would be too many for Airflow: docs/decisions/0018-refresh-token.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from customer_import.database.engine import insert_missing, reading
from customer_import.database.tables import sent_notices
from customer_import.partner_center.hook import PartnerCenterHook, forget_token
from customer_import.runs.run import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.runs.run import Run

RENEW_AFTER = timedelta(hours=20)
"""Less than a day, so that a daily run renews every day."""
SIGNED_IN = "signed in"
"""In ``sent_notices`` in the place of a kind: when a refresh token was stored last, by a run or by a person."""


def open_hook(engine: Engine, run: Run) -> PartnerCenterHook:
    """Return the way into a run's Partner Center, which stores a renewed refresh token when one is due."""
    conn_id = run.instance.partner_center.conn_id
    if is_due(last_renewal(engine, run.params.instance), run.started_at, datetime.now(UTC)):
        return PartnerCenterHook(conn_id)
    return PartnerCenterHook(conn_id, save_refresh_token=forget_token)


def note_renewed(engine: Engine, run: Run, hook: PartnerCenterHook) -> None:
    """Remember that a run stored a renewed refresh token, if it did."""
    if hook.has_renewed:
        note_renewal(engine, run.params.instance, datetime.now(UTC))


def is_due(last: datetime | None, run_started_at: datetime, now: datetime) -> bool:
    """Whether a run stores what its sign-ins renew: the first of a day does, in all its tasks.

    Args:
        last: When a refresh token of the instance was stored last; ``None`` when nobody knows.
        run_started_at: UTC.
        now: UTC.
    """
    return last is None or last >= run_started_at or now - last >= RENEW_AFTER


def note_renewal(engine: Engine, instance: str, now: datetime) -> None:
    """Remember that a new refresh token was stored."""
    key = {"instance": instance, "import_type": "", "kind": SIGNED_IN}
    with engine.begin() as connection:
        if not insert_missing(connection, sent_notices, [key | {"sent_at": now}]):
            same = [sent_notices.c[name] == value for name, value in key.items()]
            connection.execute(update(sent_notices).where(*same).values(sent_at=now))


def last_renewal(engine: Engine, instance: str) -> datetime | None:
    """Return when a refresh token was stored last, UTC; ``None`` when nobody knows."""
    query = select(sent_notices.c.sent_at).where(
        sent_notices.c.instance == instance,
        sent_notices.c.import_type == "",
        sent_notices.c.kind == SIGNED_IN,
    )
    with reading(engine) as connection:
        found = connection.execute(query).scalar_one_or_none()
    return as_utc(found) if found is not None else None
