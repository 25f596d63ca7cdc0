"""Bodies from a folder, such as recorded ones, against our description of Partner Center."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.exchanges import Exchange
from tests.contract.judge import judge_exchanges

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.descriptions import Description
    from tests.contract.fields import Verdict

_TENANT = "/v1/customers/b3a1bf1a-0000-4000-8000-000000000000"
# The names are those that the sandbox serves bodies by; the first prefix that fits counts.
_ANSWERS = {
    "customers.by-id.403": (_TENANT, 403),
    "customers.by-id": (_TENANT, 200),
    "customers.list": ("/v1/customers", 200),
    "customers.profiles.billing": (f"{_TENANT}/profiles/billing", 200),
    "relationships.": (
        "/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf",
        200,
    ),
    "subscriptions.": (f"{_TENANT}/subscriptions", 200),
    "profiles.mpn.404": ("/v1/profiles/mpn", 404),
    "throttled.429": (_TENANT, 429),
    "countryvalidationrules.": ("/v1/countryvalidationrules/DE", 200),
}


def judge_samples(description: Description, folder: Path, verdict: Verdict) -> int:
    """Validate every body of the folder; return how many there were."""
    files = sorted(folder.glob("*.json"))
    for path in files:
        place = next(
            (place for name, place in _ANSWERS.items() if path.name.startswith(name)), None
        )
        if place is None:
            verdict.add(path.name, "answers nothing that is known by its name")
            continue
        own = type(verdict)()
        judge_exchanges(description, [_exchange(*place, path.read_bytes())], own, is_ours=True)
        for words in own.violations:
            verdict.add(path.name, words)
    return len(files)


def _exchange(target: str, status: int, body: bytes) -> Exchange:
    return Exchange(
        service="partner_center",
        endpoint="sample",
        method="GET",
        url=f"http://sample{target}",
        headers={"Authorization": "Bearer sample"},
        body=b"",
        status=status,
        answer_headers={"Content-Type": "application/json"},
        answer=body,
    )
