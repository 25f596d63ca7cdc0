"""Decides for a tenant without link which BSS account it is: pure, from the run's account index.

Only the tenant marker decides. A name never adopts anybody, but an account of the same name
whose marker is missing or cannot be read leaves the tenant to a person.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.candidates import LIKELY, SIGN_WORDS, Candidate, rank
from customer_import.tasks.load.marker import is_tenant_id, marker_key
from customer_import.text import trim
from customer_import.vocabulary import DecisionKind, Outcome, ReasonCode, Sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from customer_import.decisions.rules import Decision

NAME_KEY_LENGTH = 400
_SHOWN_CANDIDATES = 10


@dataclass(frozen=True)
class IndexedAccount:
    """An account as the run's index has it, and the tenant that it is linked to."""

    account_id: int
    name_key: str
    tenant_marker: str | None
    linked_to: str | None = None


@dataclass(frozen=True)
class Match:
    """What the index says of a tenant.

    Attributes:
        account_id: The account that carries the tenant's marker, or that a person decided on; to be adopted.
        verdict: Set when a person has to decide.
        decision: What a person decided, where that made the match what it is.
        candidates: Accounts without tenant id that the tenant may be, best first.
    """

    account_id: int | None = None
    verdict: Verdict | None = None
    decision: Decision | None = None
    candidates: tuple[Candidate, ...] = ()

    @property
    def is_free(self) -> bool:
        """Whether nothing speaks against creating an account."""
        return self.account_id is None and self.verdict is None


def name_key(name: str) -> str:
    """Return the key under which equal names are found: trimmed, case ignored."""
    return trim(name).casefold()[:NAME_KEY_LENGTH]


def reconcile(
    tenant_id: str,
    same_marker: Sequence[IndexedAccount],
    same_name: Sequence[IndexedAccount],
    decisions: Mapping[DecisionKind, Decision] | None = None,
    alike: Sequence[Candidate] = (),
    *,
    auto_create: bool = True,
) -> Match:
    """Decide whether a tenant is adopted, created, or left to a person.

    Args:
        tenant_id: The tenant.
        same_marker: Accounts that carry its id.
        same_name: Accounts of the same name, whatever they carry.
        decisions: What people decided about it.
        alike: Accounts without tenant id that have something in common with it.
        auto_create: Whether the instance creates customers about whom nobody decided.
    """
    decisions = decisions or {}
    if link := decisions.get(DecisionKind.LINK):
        return _as_decided(link, same_marker)
    if same_marker:
        return _of_marker(tenant_id, same_marker)
    nobodys = [account for account in same_name if not _is_somebodys(account)]
    candidates = rank(_with_names(nobodys, alike))
    likely = [each for each in candidates if each.score >= LIKELY]
    if creation := decisions.get(DecisionKind.CREATE):
        return Match(decision=creation) if likely or not auto_create else Match()
    verdict = None
    if nobodys:
        verdict = _same_name(tenant_id, nobodys)
    elif likely:
        verdict = _lookalike(likely)
    elif not auto_create:
        verdict = _in_queue(candidates)
    return Match(verdict=verdict, candidates=candidates) if verdict else Match()


def _of_marker(tenant_id: str, same_marker: Sequence[IndexedAccount]) -> Match:
    if len(same_marker) == 1:
        account = same_marker[0]
        if account.linked_to not in {None, tenant_id}:
            return Match(verdict=linked_elsewhere(account.account_id, str(account.linked_to)))
        return Match(account_id=account.account_id)
    reason = (
        f"{len(same_marker)} BSS accounts carry the tenant id {tenant_id}: "
        f"{_ids(same_marker)}. Keep it on the right one, then import again."
    )
    return Match(verdict=Verdict(Outcome.AMBIGUOUS, ReasonCode.SEVERAL_ACCOUNTS, reason))


def _with_names(same_name: Sequence[IndexedAccount], alike: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates, with those that share the whole name."""
    found = {each.account_id: each for each in alike}
    for account in same_name:
        known = found.get(account.account_id)
        signs = (known.signs if known else frozenset()) | {Sign.NAME}
        found[account.account_id] = Candidate(account.account_id, account.name_key, signs)
    return list(found.values())


def _same_name(tenant_id: str, nobodys: Sequence[IndexedAccount]) -> Verdict:
    is_filled = any(account.tenant_marker is not None for account in nobodys)
    without = "a tenant id that can be read" if is_filled else "a tenant id"
    reason = (
        f"BSS accounts of the same name exist without {without}: {_ids(nobodys)}. If one "
        f"of them is this customer, decide on it in the matching queue, or enter {tenant_id} in its tenant id "
        "field; if none is, decide that a new one is created. Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.SAME_NAME, reason)


def _lookalike(likely: Sequence[Candidate]) -> Verdict:
    said = "; ".join(
        f"{each.account_id} ({', '.join(SIGN_WORDS[sign] for sign in each.telling)})"
        for each in likely
    )
    reason = (
        f"BSS accounts without a tenant id look like this customer: {said}. Decide in the matching queue which one it "
        "is, or that a new one is created. Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.LOOKALIKE, reason)


def _in_queue(candidates: Sequence[Candidate]) -> Verdict:
    some = (
        f" BSS accounts that have something in common with it: {_ids(candidates)}."
        if candidates
        else ""
    )
    reason = (
        "This customer is new, and the instance creates nobody by itself (auto_create: false). It waits in the "
        f"matching queue: decide there that it is created, which account it is, or that it is excluded.{some}"
    )
    return Verdict(Outcome.SKIPPED, ReasonCode.IN_QUEUE, reason)


def no_longer_marked(account_id: int, *, exists: bool) -> Verdict:
    """Return the verdict on a customer whose tenant id stood on an account until somebody changed or deleted that."""
    by_now = "carries it no longer" if exists else "does not exist any more"
    reason = (
        f"BSS account {account_id} carried this customer's tenant id when the accounts were listed, and {by_now}. "
        "Nothing was written. Import again: the accounts are then listed anew."
    )
    return Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, reason)


def account_gone(account_id: int) -> Verdict:
    """Return the verdict on a customer whose linked account the BSS no longer has.

    It is not created again. Why: docs/decisions/0004-tenant-marker.md.
    """
    reason = (
        f"BSS account {account_id}, which this customer is linked to, no longer exists. Restore "
        "it in the BSS; or decide which account the customer is, or that it is excluded; or, to have it "
        "created anew, delete its row in tenant_links."
    )
    return Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, reason)


def _as_decided(decision: Decision, same_marker: Sequence[IndexedAccount]) -> Match:
    """Return the match that a person decided on, unless another account says that it is the tenant."""
    account_id = int(decision.value or 0)
    others = [account for account in same_marker if account.account_id != account_id]
    if others and len(others) == len(same_marker):
        why = f"BSS account {_ids(others)} carries its tenant id."
        return Match(verdict=contradicted(decision, why), decision=decision)
    return Match(account_id=account_id, decision=decision)


def contradicted(decision: Decision, why: str) -> Verdict:
    """Return the verdict on a customer of which the BSS says otherwise than a person decided."""
    hint = "Revoke the decision or correct the BSS, then import again."
    reason = f"{decision.told()} But {why} Nothing was written. {hint}"
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.DECISION_CONTRADICTED, reason)


def doubt_decision(
    decision: Decision, tenant_id: str, marker: str | None, *, exists: bool
) -> Verdict | None:
    """Return the verdict on a customer that cannot be linked as decided; ``None`` when it can.

    Args:
        decision: It names the account.
        tenant_id: The customer.
        marker: What the account carries (``marker_key``).
        exists: Whether the BSS has the account.
    """
    account = f"BSS account {decision.value}"
    if not exists:
        return contradicted(decision, f"{account} does not exist.")
    if marker is None or marker == marker_key(tenant_id):
        return None
    if is_tenant_id(marker):
        return contradicted(decision, f"{account} carries the tenant id of another, {marker}.")
    return contradicted(
        decision, f"{account} has something in its tenant id field that is no tenant id."
    )


def doubt_link(tenant_id: str, account_id: int, marker: str | None) -> Verdict | None:
    """Return the verdict on a customer whose linked account says that it is somebody else's.

    Args:
        tenant_id: The customer.
        account_id: The account that it is linked to.
        marker: What the account carries (``marker_key``).

    Returns:
        ``None`` when the account carries the customer's tenant id, or none.
    """
    if marker is None or marker == marker_key(tenant_id):
        return None
    carries = (
        f"carries the tenant id of another customer, {marker}"
        if is_tenant_id(marker)
        else "has something in its tenant id field that is no tenant id"
    )
    reason = (
        f"BSS account {account_id}, which this customer is linked to, {carries}. Nothing was "
        f"written. If the account is this customer's, enter {tenant_id} there; if it is not, "
        "delete this customer's row in tenant_links. Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_MARKER, reason)


def marker_moved(account_id: int, others: Sequence[int]) -> Verdict:
    """Return the verdict on a customer whose tenant id stands on another account than the linked one."""
    reason = (
        f"BSS account {account_id}, which this customer is linked to, has lost its tenant id, and "
        f"{', '.join(map(str, others))} carries it. Nothing was written. Enter it in the right "
        "one; if that is not the linked one, delete this customer's row in tenant_links. Then "
        "import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_MARKER, reason)


def unfamiliar(tenant_id: str, account_id: int) -> Verdict:
    """Return the verdict on a customer whose linked account has no tenant id, and nothing else of the customer's.

    A BSS that was restored gives numbers to other accounts that it gave before.
    """
    reason = (
        f"BSS account {account_id}, which this customer is linked to, has no tenant id, and neither the customer's "
        "name, address, e-mail address, domain prefix nor contact: it may be another's. Nothing was written. If the "
        f"account is this customer's, enter {tenant_id} there; if it is not, delete this customer's row in "
        "tenant_links. Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_MARKER, reason)


def linked_elsewhere(account_id: int, tenant_id: str) -> Verdict:
    """Return the verdict on a customer whose account is linked to another tenant."""
    reason = (
        f"BSS account {account_id} is linked to tenant {tenant_id} already. Find out whose it is: "
        "correct the tenant id fields of both accounts, or delete the wrong row in tenant_links. "
        "Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_LINK, reason)


def _is_somebodys(account: IndexedAccount) -> bool:
    """Whether an account says which tenant it is."""
    return account.tenant_marker is not None and is_tenant_id(account.tenant_marker)


def _ids(accounts: Sequence[IndexedAccount | Candidate]) -> str:
    ids = sorted(account.account_id for account in accounts)
    shown = ", ".join(map(str, ids[:_SHOWN_CANDIDATES]))
    more = len(ids) - _SHOWN_CANDIDATES
    return f"{shown} and {more} more" if more > 0 else shown
