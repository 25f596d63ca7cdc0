"""One honest body that every call can read, and what each makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from customer_import.errors import AmbiguousWriteError, RetriableError
from tests.hostile.script import SECRETS, TENANT, Case, Gives, Raises

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.hostile.script import Answer

BODY = json.dumps(
    {
        "totalCount": 1,
        "items": [{"id": TENANT, "companyProfile": {"companyName": "Bakery"}}],
        "data": [{"id": 7, "name": "Bakery"}],
        "paging": {"totalPages": 1},
        "id": 7,
        "token_type": "Bearer",
        "access_token": SECRETS.issued_token,
        "expires_in": 3600,
    }
).encode()
_TOKEN = [SECRETS.issued_token, 3600.0]
GOOD: dict[str, Gives] = {
    "tenants": Gives([[TENANT, "Bakery"]]),
    "accounts": Gives([[7, "Bakery"]]),
    "create contact": Gives(7),
    "own read": Gives([200, len(BODY)]),
    "entra app": Gives(_TOKEN),
    "grant": Gives(_TOKEN),
    "own grant": Gives(_TOKEN),
}
"""One call of each kind of client: both APIs, a write, the session of own DAGs, and each sign-in."""


def unusable(call: str, words: str = "") -> Raises:
    """What is right when there is no usable answer: it may pass, but nobody knows what became of a write."""
    return Raises(AmbiguousWriteError if call.startswith("create") else RetriableError, words)


def on_every_client(
    kind: str,
    answer: Answer,
    outcomes: Mapping[str, Gives | Raises],
    *,
    timeout_s: float = Case.timeout_s,
    is_fast: bool = True,
) -> list[Case]:
    """The same answer for one call of each kind of client."""
    return [
        Case(f"{kind}: {call}", call, (answer,), outcome, timeout_s=timeout_s, is_fast=is_fast)
        for call, outcome in outcomes.items()
    ]
