"""A tenant on its way through the extraction, and the row of ``staged_customers`` that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from customer_import.config.mapping import SEVERAL_PREFIXES
from customer_import.database.names import folded_name
from customer_import.tasks.extract.classification import Classification
from customer_import.tasks.extract.selection import NOT_SELECTED
from customer_import.vocabulary import DecisionKind, Outcome, StagedState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Row

    from customer_import.decisions.rules import Decision
    from customer_import.partner_center.flatten import FlatCustomer
    from customer_import.partner_center.models import ListedTenant, Subscription
    from customer_import.runs.verdict import Verdict

_MOST_TOLD = 5
MOST_SUBSCRIPTIONS = 100
"""So many of a tenant are kept, for people to read; all of them are classified."""

Values = dict[str, Any]  # column to value, for SQLAlchemy


@dataclass(frozen=True, slots=True)
class PendingTenant:
    """A tenant that is still to be asked for.

    Attributes:
        position: Its place in the run.
        tenant: The tenant.
        domain_prefix: That of its audit record.
        former_prefix: The one that it had when it was read last.
        known: What the last run that could classify it found; it ends nowhere.
        decisions: Those about it that stood when it was listed.
    """

    position: int
    tenant: ListedTenant
    domain_prefix: str | None = None
    former_prefix: str | None = None
    known: Classification | None = None
    decisions: Mapping[DecisionKind, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StagedTenant:
    """What is known of a tenant when the extraction is done with it.

    Attributes:
        pending: The tenant.
        classification: Whose customer it is, and whether it ends here.
        subscriptions: The counted ones; ``None`` when they were not asked for.
        customer: Its body; ``None`` when it was not asked for.
        is_selected: Whether the run was started for its reseller.
    """

    pending: PendingTenant
    classification: Classification
    subscriptions: tuple[Subscription, ...] | None = None
    customer: FlatCustomer | None = None
    is_selected: bool = True

    @property
    def is_discovered(self) -> bool | None:
        """Whether the run has to say what becomes of it; ``None`` when nobody could tell."""
        return self.classification.is_discovered if self.is_selected else False

    @property
    def verdict(self) -> Verdict | None:
        """Set when the tenant ends here."""
        return self.classification.verdict if self.is_selected else None

    @property
    def state(self) -> StagedState:
        """How far it has come."""
        if not self.is_selected:
            return StagedState.UNSELECTED
        if self.verdict is None:
            return StagedState.FETCHED
        is_failed = self.verdict.outcome is Outcome.FAILED
        return StagedState.FAILED if is_failed else StagedState.LEFT

    @property
    def tenant_id(self) -> str:
        """The tenant."""
        return self.pending.tenant.tenant_id

    @property
    def tenant_name(self) -> str | None:
        """Company name as Partner Center lists it."""
        return self.pending.tenant.name

    @property
    def domain(self) -> str | None:
        """Primary domain."""
        return self.pending.tenant.domain

    @property
    def reseller_mpn_id(self) -> str | None:
        """Of its reseller, when it has one."""
        return self.classification.reseller_mpn_id

    @property
    def reseller_name(self) -> str | None:
        """The same."""
        return self.classification.reseller_name


def staged_row(item: StagedTenant, run_key: int, read_at: datetime) -> Values:
    """Return the tenant's row of ``staged_customers``, stamped with when its reading began."""
    found, customer, verdict = item.classification, item.customer, item.verdict
    return {
        "run_id": run_key,
        "tenant_id": item.tenant_id,
        "position": item.pending.position,
        "tenant_name": item.tenant_name,
        "domain": item.domain,
        "name_folded": folded_name(item.tenant_name, item.domain),
        "relationship": item.pending.tenant.relationship,
        "state": item.state.value,
        "source": orjson.dumps(_source(customer)) if customer else None,
        "body": customer.body if customer else None,
        "has_billing_profile": customer.has_billing_profile if customer else None,
        "subscriptions": _dump_subscriptions(item.subscriptions),
        "has_delegated_access": customer.has_delegated_access if customer else None,
        "domain_prefix": _domain_prefix(item),
        "is_discovered": item.is_discovered,
        "reseller_mpn_id": found.reseller_mpn_id,
        "reseller_name": found.reseller_name,
        "is_in_both_lists": found.is_in_both_lists,
        "excluded_mpn_ids": ",".join(found.excluded_mpn_ids) or None,
        "classification": found.text if item.is_selected else NOT_SELECTED,
        "outcome": verdict.outcome.value if verdict else None,
        "reason_code": verdict.reason_code.value if verdict else None,
        "reason": verdict.reason if verdict else None,
        "fetched_at": read_at,
    }


def known_classification(row: Row[*tuple[Any, ...]]) -> Classification | None:
    """Return what ``known_tenants`` holds of a tenant; ``None`` for one that no run could classify."""
    if row.is_discovered is None:
        return None
    return Classification(
        is_discovered=row.is_discovered,
        text=row.classification,
        reseller_mpn_id=row.reseller_mpn_id,
        reseller_name=row.reseller_name,
        is_in_both_lists=row.is_in_both_lists,
        found_under=(row.reseller_mpn_id or "",)
        if row.reseller_name or row.reseller_mpn_id
        else (),
    )


def _source(customer: FlatCustomer) -> Mapping[str, object]:
    """Return the mapped values, and of several domain prefixes all, as people are told of them."""
    prefixes = customer.domain_prefixes
    if len(prefixes) < 2:  # noqa: PLR2004
        return customer.source
    more = f" and {len(prefixes) - _MOST_TOLD} more" if len(prefixes) > _MOST_TOLD else ""
    return {**customer.source, SEVERAL_PREFIXES: ", ".join(prefixes[:_MOST_TOLD]) + more}


def _domain_prefix(item: StagedTenant) -> str | None:
    """Return the prefix of a customer's domains; where they are hidden, that of its audit record.

    One that it had before is kept as long as the customer has it.
    """
    customer = item.customer
    if customer is None:
        return None
    if item.pending.former_prefix in customer.domain_prefixes:
        return item.pending.former_prefix
    is_hidden = not customer.has_delegated_access
    return customer.domain_prefix or (item.pending.domain_prefix if is_hidden else None)


def _dump_subscriptions(subscriptions: Iterable[Subscription] | None) -> bytes | None:
    if subscriptions is None:
        return None
    return orjson.dumps(
        [
            {
                "id": item.id,
                "status": item.status,
                "partnerId": item.partner_id,
                "name": item.name,
                "endsOn": item.ends_on,
                "isRenewed": item.is_renewed,
            }
            for item in islice(subscriptions, MOST_SUBSCRIPTIONS)
        ]
    )
