"""Everything goes wrong at once: three requests in ten, at both APIs, in every way there is."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType, Outcome
from sandbox import FaultKind, FaultRule
from sandbox.faults import RetryAfterForm
from tests.chaos.arena import LATE_S
from tests.chaos.state import BssState, compare_bss, results_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.arena import Arena, Case

REQUESTS = 10_000
_MOST_RUNS = 6
_EVERYWHERE = ("bss.*", "partner_center.*")
_WITH_TOKEN = ("bss.accounts.*", "bss.contacts.*", "bss.sync_options.*", "partner_center.*")
_SPECIAL = (
    FaultRule(endpoint="bss.accounts.create", kind=FaultKind.READ_ONLY_FIELD, probability=0.01),
    FaultRule(endpoint="bss.*", kind=FaultKind.RATE_LIMIT_403, probability=0.005, retry_after_s=1),
    # Entra ID out of order for a while; a refusal for good would rightly end the run.
    FaultRule(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=90033, probability=0.3),
)


def faults() -> list[FaultRule]:
    """Return rules that strike some 30 % of all requests.

    Those with a Retry-After are few, because a resource stands still for it.

    A token is refused at fixed positions, never twice for one request: a token refused although it
    was just issued is a matter for a person.
    """
    expired = (
        FaultRule(endpoint=pattern, kind=FaultKind.UNAUTHORIZED, calls=tuple(range(97, 40_000, 97)))
        for pattern in _WITH_TOKEN
    )
    return [
        *_SPECIAL,
        *expired,
        *chain.from_iterable(_faults_of(pattern) for pattern in _EVERYWHERE),
    ]


def _faults_of(pattern: str) -> Iterator[FaultRule]:
    for form in RetryAfterForm:
        yield FaultRule(
            endpoint=pattern,
            kind=FaultKind.THROTTLE,
            probability=0.005,
            retry_after_s=1,
            retry_after_form=form,
        )
    for status in (500, 502, 503, 504):
        yield FaultRule(endpoint=pattern, kind=FaultKind.STATUS, status=status, probability=0.035)
    yield FaultRule(
        endpoint=pattern, kind=FaultKind.STATUS, status=503, retry_after_s=1, probability=0.005
    )
    for kind in (FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER):
        yield FaultRule(endpoint=pattern, kind=kind, probability=0.04)
    for kind in (FaultKind.TRUNCATE, FaultKind.WRONG_JSON, FaultKind.EMPTY_BODY):
        yield FaultRule(endpoint=pattern, kind=kind, probability=0.02)
    yield FaultRule(endpoint=pattern, kind=FaultKind.DELAY, probability=0.02, delay_s=0.2)
    yield FaultRule(endpoint=pattern, kind=FaultKind.ANSWER_LATE, probability=0.005, delay_s=LATE_S)


def storm(arena: Arena) -> Iterator[Case]:
    """Run an import in the storm, again and again until every customer has had its turn.

    A customer whose tries were all struck is reported as failed, and the next run takes it up.
    """
    undisturbed = arena.undisturbed(ImportType.DIRECT)
    settled = {t: o for t, o in undisturbed.results.items() if o not in {"created", "updated"}}
    with arena.case("storm") as case:
        arena.sandbox.faults.replace(faults())
        results: dict[str, str] = {}
        runs = 0
        while runs < _MOST_RUNS:
            runs += 1
            job = case.job(ImportType.DIRECT, f"storm_{runs}")
            case.finish(job)
            results = results_of(case.engine, job.run_id)
            open_ = {Outcome.FAILED, Outcome.REJECTED}
            left = [t for t, outcome in results.items() if outcome in open_ and t not in settled]
            case.notes.append(f"run {runs}: {len(left)} customers for the next run")
            if not left and arena.sandbox.requests.total >= REQUESTS:
                break
        struck, total = arena.sandbox.faults.counts.total(), arena.sandbox.requests.total
        obedience = arena.sandbox.requests.retry_after
        case.notes.append(
            f"{total} requests, {struck} struck ({struck / total:.0%}); Retry-After told "
            f"{obedience.told} times, {obedience.disobeyed} requests sent before it had passed; "
            f"most attempts on one request: {arena.sandbox.requests.most_attempts}"
        )
        if obedience.disobeyed:
            case.found.add("wrong", "a request was sent too early", obedience.disobeyed)
        if total < REQUESTS or struck < 0.28 * total:
            case.found.add("wrong", "the storm was too weak")
        case.storms = 1
        arena.calm()
        compare_bss(case.found, arena.sandbox, BssState.of(arena.sandbox), [undisturbed.state])
        case.lost_results(results, undisturbed.results)
        case.run_again(ImportType.DIRECT)
        case.close(job)
        yield case
