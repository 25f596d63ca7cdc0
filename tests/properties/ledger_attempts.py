"""Attempts of runs as the machine drives them, each with a ledger whose every call is compared with the model's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from customer_import.errors import CustomerImportError
from customer_import.tasks.load.claims import Claim, Holder, Link
from customer_import.tasks.load.customers import StagedCustomer
from customer_import.tasks.load.ledger import Ledger
from customer_import.tasks.load.reconcile import Match
from tests.properties.ledger_model import LedgerModel, Me, row_of
from tests.properties.ledger_world import Worker, World, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

walked: Counter[str] = Counter()
"""Steps, sequences and differences so far."""


class DifferenceError(AssertionError):
    """Ledger and model, or ledger and BSS, do not agree."""


def agree(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        walked["differences"] += 1
        actual, expected = _without_equal_parts(actual, expected)
        message = f"{what}: {actual!r}, but the model says {expected!r}"
        raise DifferenceError(message)


def _without_equal_parts(one: object, other: object) -> tuple[object, object]:
    """Return what differs of two values alone, so that it can be read."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [name for name in one | other if one.get(name) != other.get(name)]
        pairs = {name: _without_equal_parts(one.get(name), other.get(name)) for name in names}
        return (
            {name: pair[0] for name, pair in pairs.items()},
            {name: pair[1] for name, pair in pairs.items()},
        )
    return one, other


class WatchedLedger(Ledger):
    """The ledger; each call waits for its turn and is compared with the model's."""

    def __init__(self, engine: Engine, holder: Holder, model: LedgerModel, world: World) -> None:
        super().__init__(engine, "default", holder, now=world.clock, gather_s=0.0)
        self.model = model
        self.me = Me(holder.run_key, holder.batch, holder.attempt)

    def kill(self) -> None:
        """End its thread, as the end of the process does."""
        self._committer._thread.shutdown()


def _watched(name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    call = getattr(Ledger, name)

    async def watched(ledger: WatchedLedger, *arguments: Any) -> Any:
        await pause(name)
        actual: Any
        try:
            actual = await call(ledger, *arguments)
        except CustomerImportError as error:
            actual = error
        expected: Any
        try:
            expected = getattr(ledger.model, name)(ledger.me, ledger.now(), *arguments)
        except CustomerImportError as error:
            expected = type(error)
        agree(f"answer to {name}", _plain(actual), expected)
        if isinstance(actual, Exception):
            raise actual
        return actual

    return watched


for _name in ("claim", "read", "save", "confirm", "distrust", "finish", "record"):
    setattr(WatchedLedger, _name, _watched(_name))


def _plain(answer: object) -> object:
    match answer:
        case Exception():
            return type(answer)
        case Claim():
            answered = {"state": answer.state.value, "has_intent": answer.has_intent}
            return answered | row_of(answer.link)
        case Link():
            return row_of(answer)
        case _:
            return answer


@dataclass
class RunState:
    """A run, what its listing of accounts told, and how many attempts its load had."""

    run: Run
    content: str
    read_at: datetime
    listed: dict[str, int | None]
    attempts: int = 0


@dataclass
class Attempt:
    """One attempt of a run's load, with a worker for each tenant."""

    state: RunState
    ledger: WatchedLedger
    workers: list[Worker] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return all(worker.is_done for worker in self.workers)


def staged(tenant: str, state: RunState) -> StagedCustomer:
    return StagedCustomer(
        tenant_id=tenant,
        tenant_name="Twins",
        domain=None,
        reseller_mpn_id=None,
        reseller_name=None,
        is_in_both_lists=True,
        content_hash=state.content,
        link=None,
        match=Match(state.listed[tenant]),
        warnings=(),
        account_json=orjson.dumps({"name": "Twins", "phone": state.content}),
        contact_json=orjson.dumps({"lastName": "Lind"}),
        sync_options_json=orjson.dumps({"Domain prefix": "twins"}),
        read_at=state.read_at,
    )
