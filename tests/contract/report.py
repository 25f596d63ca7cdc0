"""Puts the comparisons together: what differs, and the one line that they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.config.mapping import ORDERING_FIELDS
from customer_import.config.targets import ACCOUNT_TARGETS, CONTACT_TARGETS
from tests.contract.descriptions import shape
from tests.contract.fields import (
    Verdict,
    judge_reads,
    judge_writes,
    unread_leniences,
)
from tests.contract.fuzz import Drawn, draw
from tests.contract.judge import judge_exchanges
from tests.contract.known import known_values, logins
from tests.contract.samples import judge_samples
from tests.contract.templates import client_paths

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from tests.contract.descriptions import Description
    from tests.contract.world import Stage

WRITTEN = {
    "/api/accounts": (*sorted(ACCOUNT_TARGETS), *ORDERING_FIELDS, "customFields"),
    "/api/contacts": (*sorted(CONTACT_TARGETS), "accountId", "isPrimary", "isBillTo"),
}


def against_ours(
    ours: dict[str, Description], stage: Stage, examples: int, samples: Path | None
) -> tuple[Counter[str], str]:
    """Hold everything to our descriptions; return what differs, with how often, and the line."""
    verdict, drawn = Verdict(), Drawn()
    described, covered = 0, 0
    for service, description in ours.items():
        _judge(description, service, stage, verdict)
        used = {each.name for each in description.operations if each.is_used}
        described, covered = described + len(used), covered + len(used & verdict.used)
        for name in sorted(used - verdict.used):
            verdict.add(
                name,
                "no run called it. Hint: play it in tests/contract/scenario.py, or say why it is unused",
            )
        for each in description.operations:
            if not each.is_used and each.name in verdict.used:
                verdict.add(each.name, "was called, though it is said to be unused")
        for name in unread_leniences(description, stage.reads, service):
            verdict.add(service, f"x-also-read names {name}, which nothing reads any more")
    tried = judge_samples(ours["partner_center"], samples, verdict) if samples else None
    for service, description in ours.items():
        url, login = logins(stage.scene)[service]
        draw(description, url, login, known_values(stage.scene, service), examples, drawn)
    violations = verdict.violations + drawn.violations
    line = (
        f"contract: endpoints={covered} of {described} "
        f"fields={len(verdict.described)} of {len(verdict.fields)} imports={stage.runs} "
        f"requests={verdict.requests} answers={verdict.answers} "
        f"schemathesis_cases={drawn.cases} schemathesis_operations={drawn.operations} "
        + (f"samples={tried} " if tried is not None else "")
        + f"violations={violations.total()}"
    )
    return violations, line


def against_vendor(
    vendor: Description, ours: dict[str, Description], stage: Stage
) -> tuple[Counter[str], str]:
    """Hold what the import sends and reads to a vendor's file, of the service that it describes most of."""
    shapes = {shape(each.path) for each in vendor.operations}
    service = max(
        ours, key=lambda name: len(shapes & {shape(o.path) for o in ours[name].operations})
    )
    verdict = Verdict()
    _judge(vendor, service, stage, verdict, ours[service])
    used = {each.name for each in ours[service].operations if each.is_used}
    found = [each for each in vendor.operations if each.name in verdict.used]
    missing = sum(
        "is not described" in words and words.count(":") == 1 for words in verdict.violations
    )
    line = (
        f"contract: service={service} endpoints={len(found)} of {len(used)} missing={missing} "
        f"fields={len(verdict.described)} of {len(verdict.fields)} "
        f"requests={verdict.requests} answers={verdict.answers} "
        f"differences={len(verdict.violations)}"
    )
    return verdict.violations, line


def _judge(
    description: Description,
    service: str,
    stage: Stage,
    verdict: Verdict,
    ours: Description | None = None,
) -> None:
    exchanges = [each for each in stage.exchanges if each.service == service]
    judge_exchanges(description, exchanges, verdict, is_ours=ours is None)
    judge_reads(description, stage.reads, service, verdict, ours)
    if service == "bss":
        judge_writes(description, WRITTEN, verdict)
    for path, where in client_paths(service).items():
        if not description.has_path(path):
            verdict.add(path, f"is in {where}, and not described")
