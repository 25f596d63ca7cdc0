"""Decides whose customer a tenant is: the rules of the three imports, as pure functions.

The rules are the reference importer's. Only subscriptions of the counted statuses speak. Every
decision comes with a sentence for the person who manages the customers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from customer_import.runs.verdict import Verdict
from customer_import.text import trim
from customer_import.vocabulary import DecisionKind, ImportType, Outcome, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from customer_import.config.instances import InstanceConfig
    from customer_import.decisions.rules import Decision
    from customer_import.partner_center.models import ListedTenant, Reseller, Subscription

_RESELLER_RELATIONSHIP = "reseller"


@dataclass(frozen=True, slots=True)
class Classification:
    """What the import thinks of a tenant.

    Attributes:
        is_discovered: Whether it belongs to the import type; ``None`` when nobody could tell.
        text: Why it does, or why not.
        verdict: Set when the tenant ends here.
        reseller_mpn_id: The reseller's MPN ID, as the subscription names it.
        reseller_name: The reseller's name.
        is_in_both_lists: Whether the direct and the indirect import both find it.
        found_under: MPN ids of all resellers under which it is found, empty for one without; for a customer of nobody
            known those that its subscriptions carry.
        unknown_mpn_ids: MPN ids of its subscriptions, when it ends here because no reseller has any of them.
        excluded_mpn_ids: MPN ids under which it would be found, too, if the instance did not leave these resellers out.
    """

    is_discovered: bool | None
    text: str
    verdict: Verdict | None = None
    reseller_mpn_id: str | None = None
    reseller_name: str | None = None
    is_in_both_lists: bool = False
    found_under: tuple[str, ...] = ()
    unknown_mpn_ids: tuple[str, ...] = ()
    excluded_mpn_ids: tuple[str, ...] = ()

    @property
    def is_excluded(self) -> bool:
        """Whether it ends here because a person decided so."""
        return self.verdict is not None and self.verdict.reason_code is ReasonCode.EXCLUDED

    def with_more(self, said: str) -> Classification:
        """Return the same with one more sentence in the reason for which the tenant ends here."""
        if self.verdict is None or not said:
            return self
        verdict = self.verdict._replace(reason=f"{self.verdict.reason} {said}")
        return replace(self, verdict=verdict)

    @classmethod
    def ended(cls, outcome: Outcome, code: ReasonCode, reason: str, text: str) -> Classification:
        """A tenant that ends here; it counts as discovered."""
        return cls(is_discovered=True, text=text, verdict=Verdict(outcome, code, reason))


@dataclass(frozen=True, slots=True)
class _Partner:
    """A reseller with all its MPN ids: one tenant may hold a global and several local ones."""

    tenant_id: str
    name: str
    mpn_ids: frozenset[str]


class Classifier:
    """The rules of an instance: what a tenant is, whichever tenants a run was started for.

    Args:
        import_type: Whose customers are imported.
        instance: Counted statuses, excluded resellers, the tenant reseller's own MPN ID.
        resellers: The partner's indirect resellers; only the indirect import needs them.

    Attributes:
        excluded_mpn_ids: Those of the resellers that the instance leaves out, all that each of them has.
    """

    def __init__(
        self,
        import_type: ImportType,
        instance: InstanceConfig,
        resellers: Sequence[Reseller] = (),
    ) -> None:
        self._import_type = import_type
        self._own_mpn_id = trim(instance.reseller_mpn_id or "")
        self._counted = frozenset(
            trim(status).lower() for status in instance.counted_subscription_statuses
        )
        partners = _group(resellers)
        named = _trimmed(instance.exclude_reseller_mpn_ids)
        also = (partner.mpn_ids for partner in partners if partner.mpn_ids & named)
        self.excluded_mpn_ids = (
            named.union(*also) if import_type is ImportType.INDIRECT else frozenset[str]()
        )
        self._by_tenant = {partner.tenant_id: partner for partner in partners}
        self._by_mpn_id = {mpn_id: partner for partner in partners for mpn_id in partner.mpn_ids}

    def counted(self, subscriptions: Iterable[Subscription]) -> tuple[Subscription, ...]:
        """Return the subscriptions whose status counts."""
        return tuple(item for item in subscriptions if item.status in self._counted)

    def by_subscriptions(
        self, tenant: ListedTenant, subscriptions: Iterable[Subscription]
    ) -> Classification:
        """Classify a tenant by its subscriptions, of any status."""
        mpn_ids = [item.partner_id for item in self.counted(subscriptions)]
        # Sorted: Partner Center's order must not decide what is written.
        named_ids = sorted({mpn_id for mpn_id in mpn_ids if mpn_id})
        is_mixed = bool(named_ids) and None in mpn_ids
        match self._import_type:
            case ImportType.DIRECT:
                found = _classify_direct(named_ids, is_mixed=is_mixed, has_any=bool(mpn_ids))
            case ImportType.TENANT_RESELLER:
                found = self._classify_tenant_reseller(named_ids)
            case ImportType.INDIRECT:
                found = self._classify_indirect(tenant, named_ids, is_mixed=is_mixed)
        return _check_relationship(tenant, found)

    def by_relationships(self, tenant: ListedTenant, reseller_ids: Iterable[str]) -> Classification:
        """Classify a tenant of the indirect import by the resellers it has a relationship with.

        Args:
            tenant: The tenant.
            reseller_ids: Tenant ids of these resellers.
        """
        partners = [
            self._by_tenant[key] for key in dict.fromkeys(reseller_ids) if key in self._by_tenant
        ]
        named = [(partner, min(partner.mpn_ids, default="")) for partner in partners]
        if own := self._own_reseller(tenant):
            return own
        if not named:
            return _not_ours("No reseller has a relationship with this customer.")
        return _check_relationship(tenant, self._choose_reseller(named, is_mixed=False))

    def decide(
        self,
        tenant: ListedTenant,
        found: Classification | None,
        decisions: Mapping[DecisionKind, Decision],
    ) -> Classification | None:
        """Return a classification with what people decided about the tenant, which is stronger.

        Args:
            tenant: The tenant.
            found: What it is otherwise; ``None`` when nobody can tell.
            decisions: Those about it.
        """
        if assigned := decisions.get(DecisionKind.RESELLER):
            found = _check_relationship(tenant, self._assign(tenant, assigned))
        exclusion = decisions.get(DecisionKind.EXCLUDE)
        if exclusion is None or found is None or not found.is_discovered:
            return found
        verdict = Verdict(Outcome.SKIPPED, ReasonCode.EXCLUDED, exclusion.told())
        return replace(found, verdict=verdict, unknown_mpn_ids=())

    def _assign(self, tenant: ListedTenant, decision: Decision) -> Classification:
        """Classify a tenant as the customer of the reseller that a person decided on."""
        mpn_id, told = decision.value or "", decision.told()
        if self._import_type is ImportType.INDIRECT:
            return self._own_reseller(tenant) or self._assign_to(mpn_id, decision)
        if self._import_type is ImportType.TENANT_RESELLER and mpn_id == self._own_mpn_id:
            return Classification(is_discovered=True, text=told, reseller_mpn_id=mpn_id)
        return _not_ours(told)

    def _assign_to(self, mpn_id: str, decision: Decision) -> Classification:
        told, name = decision.told(), decision.reseller_name
        partner = self._by_mpn_id.get(mpn_id)
        if partner is None and name:
            partner = _Partner("", name, frozenset({mpn_id}))
        if partner is not None:
            chosen = self._choose_reseller([(partner, mpn_id)], is_mixed=False)
            return replace(chosen, text=f"{chosen.text} {told}")
        found = self._classify_unknown([mpn_id], is_mixed=False)
        if found.verdict is not None:
            reason = (
                f"{told} None of your resellers in Partner Center has this MPN ID: correct the decision, or add the "
                "reseller by deciding again with its name. Then run the import again."
            )
            found = replace(found, text=told, verdict=found.verdict._replace(reason=reason))
        return found

    def _classify_tenant_reseller(self, named_ids: list[str]) -> Classification:
        own = self._own_mpn_id
        if own in named_ids:
            text = f"A subscription carries the tenant reseller's MPN ID {own}."
            return Classification(is_discovered=True, text=text, reseller_mpn_id=own)
        return _not_ours(f"No subscription carries the tenant reseller's MPN ID {own}.")

    def _classify_indirect(
        self, tenant: ListedTenant, named_ids: list[str], *, is_mixed: bool
    ) -> Classification:
        if own := self._own_reseller(tenant):
            return own
        if not named_ids:
            return _not_ours("No counted subscription carries an MPN ID.")
        known: dict[str, tuple[_Partner, str]] = {}
        for mpn_id in named_ids:
            if partner := self._by_mpn_id.get(mpn_id):
                known.setdefault(partner.tenant_id, (partner, mpn_id))
        if known:
            return self._choose_reseller(list(known.values()), is_mixed=is_mixed)
        return self._classify_unknown(named_ids, is_mixed=is_mixed)

    def _choose_reseller(
        self, named: list[tuple[_Partner, str]], *, is_mixed: bool
    ) -> Classification:
        excluded = tuple(mpn_id for _, mpn_id in named if mpn_id in self.excluded_mpn_ids)
        named = [each for each in named if each[1] not in excluded]
        if not named:
            return _left_out(excluded)
        partner, mpn_id = named[0]
        if len(named) > 1:
            names = " and ".join(sorted(_describe(each, its_id) for each, its_id in named))
            return Classification(
                is_discovered=True,
                text=f"Belongs to {len(named)} resellers.",
                verdict=Verdict(
                    Outcome.AMBIGUOUS,
                    ReasonCode.SEVERAL_RESELLERS,
                    f"This customer is found under {len(named)} resellers: {names}. Decide in "
                    "Partner Center which one it belongs to, or create the account by hand.",
                ),
                is_in_both_lists=is_mixed,
                found_under=tuple(each for _, each in named),
                excluded_mpn_ids=excluded,
            )
        return Classification(
            is_discovered=True,
            text=f"Customer of reseller {_describe(partner, mpn_id)}.",
            reseller_mpn_id=mpn_id or None,
            reseller_name=partner.name or None,
            is_in_both_lists=is_mixed,
            found_under=(mpn_id,),
            excluded_mpn_ids=excluded,
        )

    def _classify_unknown(self, named_ids: list[str], *, is_mixed: bool) -> Classification:
        unknown = [mpn_id for mpn_id in named_ids if mpn_id not in self.excluded_mpn_ids]
        if not unknown:
            return _left_out(tuple(named_ids))
        ids = ", ".join(unknown)
        return Classification(
            is_discovered=True,
            text="The MPN ID is of no known reseller.",
            verdict=Verdict(
                Outcome.SKIPPED,
                ReasonCode.UNKNOWN_RESELLER,
                f"The subscriptions carry MPN ID {ids}, which none of your resellers in Partner "
                "Center has. Check the reseller relationship, then run the import again.",
            ),
            reseller_mpn_id=unknown[0][:50],
            is_in_both_lists=is_mixed,
            found_under=tuple(unknown),
            unknown_mpn_ids=tuple(unknown),
        )

    def _own_reseller(self, tenant: ListedTenant) -> Classification | None:
        if tenant.tenant_id in self._by_tenant:
            return _not_ours("This tenant is a reseller; only its customers are imported.")
        return None


def customer_left(known: Classification | None) -> Classification:
    """Classify a tenant whose relationship with the partner has ended.

    Args:
        known: What is known of it; one that nobody ever knew counts as discovered.
    """
    return _skipped(
        known,
        ReasonCode.CUSTOMER_LEFT,
        "Partner Center lists this customer but says that there is no relationship with it any more.",
        "Cannot be told: access is refused.",
    )


def customer_gone(known: Classification | None) -> Classification:
    """Classify a tenant that Partner Center no longer has; ``known`` as with ``customer_left``."""
    return _skipped(
        known,
        ReasonCode.CUSTOMER_GONE,
        "Partner Center lists this customer but no longer has it.",
        "Cannot be told: the customer is gone.",
    )


def not_a_tenant(tenant_id: str) -> Classification:
    """Classify a list item whose id is no GUID: nothing can be asked about it."""
    return Classification.ended(
        Outcome.REJECTED,
        ReasonCode.VALIDATION,
        f"Partner Center lists this customer under {tenant_id!r}, which is not a tenant id (GUID). "
        "Ask Microsoft's support to correct the customer.",
        "Cannot be told: the id is not a tenant id.",
    )


def not_usable(problem: str, known: Classification | None) -> Classification:
    """Classify a tenant for which there was no usable answer.

    Args:
        problem: What happened, without personal data.
        known: What is known of it, by another answer or by the last run that had one. Without it no import may claim
            the tenant: it is named, and not discovered.
    """
    reason = f"Partner Center gave no usable answer ({problem})."
    if known is None:
        verdict = Verdict(
            Outcome.FAILED,
            ReasonCode.NOT_CLASSIFIED,
            f"{reason} It is not known yet whether this import is the customer's. Run the import again.",
        )
        text = "Cannot be told: there was no usable answer."
        return Classification(is_discovered=None, text=text, verdict=verdict)
    verdict = Verdict(
        Outcome.FAILED, ReasonCode.EXTRACTION_ERROR, f"{reason} Run the import again."
    )
    return replace(known, verdict=verdict, unknown_mpn_ids=())


def _skipped(
    known: Classification | None, code: ReasonCode, reason: str, text: str
) -> Classification:
    if known is None:
        return Classification.ended(Outcome.SKIPPED, code, reason, text)
    if not known.is_discovered:
        return known
    verdict = Verdict(Outcome.SKIPPED, code, reason)
    return replace(known, verdict=verdict, unknown_mpn_ids=())


def _classify_direct(named_ids: list[str], *, is_mixed: bool, has_any: bool) -> Classification:
    ids = ", ".join(named_ids)
    if named_ids and not is_mixed:
        return _not_ours(
            f"Every counted subscription carries an MPN ID ({ids}): the customer of a reseller."
        )
    if is_mixed:
        text = f"Some subscriptions carry no MPN ID, others {ids}: in the direct and indirect list."
    elif has_any:
        text = "No counted subscription carries an MPN ID."
    else:
        text = "Has no counted subscription."
    return Classification(is_discovered=True, text=text, is_in_both_lists=is_mixed)


def _check_relationship(tenant: ListedTenant, found: Classification) -> Classification:
    relationship = tenant.relationship or _RESELLER_RELATIONSHIP
    if not found.is_discovered or relationship == _RESELLER_RELATIONSHIP:
        return found
    verdict = Verdict(
        Outcome.SKIPPED,
        ReasonCode.NOT_A_RESELLER_RELATIONSHIP,
        f"The relationship with this customer is {relationship!r}, not 'reseller'. "
        "Ask the customer to accept the reseller relationship, then run the import again.",
    )
    return replace(found, verdict=verdict, unknown_mpn_ids=())


def _not_ours(text: str) -> Classification:
    return Classification(is_discovered=False, text=text)


def _left_out(excluded: tuple[str, ...]) -> Classification:
    text = "The instance leaves out the customers of this reseller."
    return Classification(is_discovered=False, text=text, excluded_mpn_ids=excluded)


def _describe(partner: _Partner, mpn_id: str) -> str:
    return f"{partner.name or partner.tenant_id} (MPN ID {mpn_id or 'unknown'})"


def _trimmed(values: Iterable[str]) -> frozenset[str]:
    return frozenset(trim(value) for value in values if trim(value))


def _group(resellers: Sequence[Reseller]) -> list[_Partner]:
    names: dict[str, str] = {}
    mpn_ids: dict[str, set[str]] = {}
    # Sorted, as the MPN ids of a customer are.
    for reseller in sorted(resellers, key=attrgetter("tenant_id", "name", "mpn_id")):
        names[reseller.tenant_id] = names.get(reseller.tenant_id) or reseller.name
        ids = mpn_ids.setdefault(reseller.tenant_id, set())
        if reseller.mpn_id:
            ids.add(reseller.mpn_id)
    return [_Partner(key, names[key], frozenset(ids)) for key, ids in mpn_ids.items()]
