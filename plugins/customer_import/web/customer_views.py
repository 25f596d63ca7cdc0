"""What the page of one customer, the search and the matching queue show, as frozen models."""

# ruff: noqa: TC001, TC003 - pydantic reads the annotations at run time
from __future__ import annotations

from datetime import datetime

from customer_import.vocabulary import ImportType, ReasonCode
from customer_import.web.models import CandidateView, View


class SubscriptionView(View):
    """A Microsoft subscription that the classification saw; ``ends_on`` is the last day of its commitment."""

    id: str
    status: str
    mpn_id: str | None
    name: str | None
    ends_on: str | None
    is_renewed: bool | None


class ReadingView(View):
    """How one run found a customer in Partner Center.

    Attributes:
        run_key: The run.
        dag_id: Its DAG.
        run_id: The Airflow run id.
        import_type: Whose customers the run imports.
        listed_at: When the run started, UTC.
        read_at: When Partner Center gave the customer's values; ``None`` when they were not asked for.
        tenant_name: Company name.
        domain: Primary domain.
        relationship: ``relationshipToPartner``.
        reseller_mpn_id: Of its reseller, when it has one.
        reseller_name: The same.
        is_in_both_lists: Whether direct and indirect import both find it.
        has_delegated_access: ``False`` when Partner Center keeps its domains and company address from this partner.
        classification: Why it belongs to the import.
        subscriptions: Those that counted.
    """

    run_key: int
    dag_id: str
    run_id: str
    import_type: ImportType
    listed_at: datetime
    read_at: datetime | None
    tenant_name: str | None
    domain: str | None
    relationship: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    is_in_both_lists: bool
    has_delegated_access: bool | None
    classification: str | None
    subscriptions: tuple[SubscriptionView, ...]


class LinkView(View):
    """Which BSS account a customer is.

    Attributes:
        import_type: The import that wrote it last.
        account_id: The account; ``None`` while it is being created.
        contact_id: The contact.
        is_complete: Whether account, contact and sync options were written once.
        is_adopted: Whether the account was there before.
        left_out: Names of what the BSS did not take.
        owed: Names of what a person still has to change in the BSS.
        updated_at: When the link changed last, UTC.
        dag_id: Of the run that wrote last, as long as the run is kept.
        run_id: The same.
    """

    import_type: ImportType
    account_id: int | None
    contact_id: int | None
    is_complete: bool
    is_adopted: bool
    left_out: tuple[str, ...]
    owed: tuple[str, ...]
    updated_at: datetime
    dag_id: str | None
    run_id: str | None


class FoundCustomer(View):
    """A customer that a search found; ``seen_at`` is when a run listed it last, or its link changed. UTC."""

    instance: str
    tenant_id: str
    tenant_name: str | None
    domain: str | None
    import_type: ImportType
    seen_at: datetime


class WaitingView(View):
    """A customer in the matching queue, with the accounts that it may be, best first."""

    tenant_id: str
    tenant_name: str | None
    domain: str | None
    reason_code: ReasonCode
    reason: str | None
    recorded_at: datetime
    candidates: tuple[CandidateView, ...]
