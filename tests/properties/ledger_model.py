"""The ledger as plain values: what each of its calls has to answer and to leave behind, without its code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from customer_import.errors import SupersededError
from customer_import.tasks.load.entries import LinkedElsewhereError
from customer_import.tasks.load.ledger import LostClaimError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from customer_import.runs.results import Result
    from customer_import.tasks.load.claims import ClaimRequest, Link

Row = dict[str, Any]
LEASE = timedelta(minutes=2)
BELIEVED = timedelta(minutes=10)
_NEW: Row = {
    **dict.fromkeys(("reseller_mpn_id", "account_id", "contact_id", "intent_at", "content_hash")),
    **dict.fromkeys(("left_out", "owed", "created_by_run", "read_at", "written_by_run")),
    **dict.fromkeys(("holder", "lease_until")),
    **dict.fromkeys(("account_step", "contact_step", "sync_options_step"), "none"),
    "is_adopted": False,
    "attempts": 0,
}


@dataclass(frozen=True)
class Me:
    """Who calls: one attempt of the task that loads a batch of a run."""

    run: int
    batch: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.run}/{self.batch}/{self.attempt}"


def row_of(link: Link) -> Row:
    """Return a link's values as a row of the model."""
    return {name: value for name, value in vars(link).items() if name not in {"id", "organisation"}}


@dataclass
class LedgerModel:
    """Rows by tenant, results by run and tenant."""

    rows: dict[str, Row] = field(default_factory=dict)
    results: dict[tuple[int, str], tuple[str, str, int | None, int | None]] = field(
        default_factory=dict
    )

    def claim(self, me: Me, now: datetime, request: ClaimRequest) -> Row:
        """Return the row, with the state and whether the claim is the account's intent."""
        tenant = request.tenant_id
        new = {"tenant_id": tenant, "instance": "default", "import_type": request.import_type}
        row = self.rows.setdefault(tenant, _NEW | new)
        self._end_if_replaced(me, row)
        is_anothers = row["holder"] is not None and not _is_same_task(me, row)
        # A heartbeat is respected; one from far in the future is a wrong clock's.
        if is_anothers and timedelta() < row["lease_until"] - now <= BELIEVED:
            return _answer("busy", row)
        has_account = row["account_id"] is not None
        if has_account and row["import_type"] != request.import_type and request.is_in_both_lists:
            return _answer("other_import", row)
        row.update(holder=str(me), lease_until=now + LEASE, attempts=row["attempts"] + 1)
        if has_account:
            return _answer("granted", row)
        row["import_type"] = request.import_type
        is_intent = request.creates and row["account_step"] == "none"
        if is_intent:
            row.update(account_step="intent", intent_at=now, read_at=request.read_at)
            row.update(created_by_run=me.run, written_by_run=me.run)
        return _answer("granted", row, has_intent=is_intent)

    def read(self, me: Me, _now: datetime, tenant: str) -> Row | None:
        if tenant in self.rows:
            self._end_if_replaced(me, self.rows[tenant])
        return self.rows.get(tenant)

    def save(self, me: Me, now: datetime, link: Link, _before: object = None) -> Row:
        self._write(me, link, {"lease_until": now + LEASE})
        return row_of(link)

    def finish(self, me: Me, _now: datetime, link: Link, result: Result) -> None:
        self._write(me, link, {"holder": None, "lease_until": None})
        self._record(result)

    def confirm(self, me: Me, _now: datetime, tenant: str) -> None:
        self._check_held(me, tenant)

    def distrust(self, _me: Me, _now: datetime, tenant: str) -> None:
        known = self.rows[tenant]["content_hash"]
        if known is not None:
            self.rows[tenant]["content_hash"] = f"{known.removesuffix('+open')}+open"

    def record(self, _me: Me, _now: datetime, results: Iterable[Result]) -> None:
        for result in results:
            self._record(result)

    def renew(self, me: Me, now: datetime) -> None:
        """A heartbeat: what is held is held for another lease."""
        for row in self._held(me):
            row["lease_until"] = now + LEASE

    def leave(self, me: Me) -> None:
        """Let go of everything; steps stay as they are."""
        for row in self._held(me):
            row["holder"] = None

    def _held(self, me: Me) -> list[Row]:
        return [row for row in self.rows.values() if row["holder"] == str(me)]

    def _check_held(self, me: Me, tenant: str) -> None:
        if self.rows[tenant]["holder"] != str(me):
            raise LostClaimError

    def _write(self, me: Me, link: Link, changes: Row) -> None:
        self._check_held(me, link.tenant_id)
        if link.account_id is not None:
            for tenant, row in self.rows.items():
                if row["account_id"] == link.account_id and tenant != link.tenant_id:
                    raise LinkedElsewhereError(link.account_id, tenant)
        self.rows[link.tenant_id] = row_of(link) | changes

    def _record(self, result: Result) -> None:
        """A tenant's first result in a run stands, unless it failed."""
        key = result.run_key, result.tenant_id
        if key not in self.results or self.results[key][0] == "failed":
            said = result.outcome, result.reason_code, result.account_id, result.contact_id
            self.results[key] = said

    @staticmethod
    def _end_if_replaced(me: Me, row: Row) -> None:
        is_same_task = row["holder"] is not None and _is_same_task(me, row)
        if is_same_task and int(row["holder"].split("/")[2]) > me.attempt:
            raise SupersededError


def _is_same_task(me: Me, row: Row) -> bool:
    return row["holder"].split("/")[:2] == [str(me.run), str(me.batch)]


def _answer(state: str, row: Row, *, has_intent: bool = False) -> Row:
    return {"state": state, "has_intent": has_intent, **row}
