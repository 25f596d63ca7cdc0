"""The words of the import as types: import types, modes, outcomes, reason codes, tasks, states.

One word per idea; the glossary in docs/architecture explains each. This module imports nothing heavy, because DAG
files read it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ImportType(StrEnum):
    """Whose customers a run imports; each has a DAG of its own."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    TENANT_RESELLER = "tenant_reseller"

    @property
    def dag_id(self) -> str:
        """The id of the DAG that runs this import."""
        return f"import_{self.value}_customers"


_OWN = "__"
"""Between the import's DAG id and the instance in the id of a DAG that is one instance's own."""


def dag_id_of(import_type: ImportType, instance: str | None = None) -> str:
    """Return the id of the DAG of an import, or of the one that is an instance's own."""
    return f"{import_type.dag_id}{_OWN}{instance}" if instance else import_type.dag_id


def dag_of(dag_id: str) -> tuple[ImportType, str | None] | None:
    """Return whose DAG it is: the import and, when it is one instance's own, the instance; ``None`` for other DAGs."""
    name, _, instance = dag_id.partition(_OWN)
    kind = next((kind for kind in ImportType if kind.dag_id == name), None)
    return (kind, instance or None) if kind else None


class Mode(StrEnum):
    """How far a run goes."""

    IMPORT = "import"
    PREVIEW = "preview"
    DISCOVER = "discover"
    CHECK = "check"  # tries both ends, and compares Partner Center, links and BSS


class Scope(StrEnum):
    """Which customers a run reads from Partner Center."""

    FULL = "full"
    CHANGED = "changed"
    VERIFY = "verify"  # as full; and every account is compared, whatever is remembered of it


class OnExisting(StrEnum):
    """What a run does with a customer that is linked to a BSS account and has changed."""

    UPDATE = "update"
    SKIP = "skip"


class Outcome(StrEnum):
    """What became of one tenant in one run."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    AMBIGUOUS = "ambiguous"
    REJECTED = "rejected"
    FAILED = "failed"
    WOULD_CREATE = "would_create"
    WOULD_UPDATE = "would_update"


IMPORTED = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
"""Of customers that a run succeeded with."""


class FieldFate(StrEnum):
    """What becomes of a BSS field in which the BSS and Partner Center differ."""

    CHANGED = "changed"
    EMPTIED = "emptied"  # Partner Center has no value
    NO_VALUE = "no value"  # left alone: the same, and the mapping keeps the BSS's
    KEEP = "keep"  # left alone: written once
    FILL = "fill"  # left alone: the BSS has a value
    COUNTRY = "country"  # left alone: a state stays with a country that does


class RunState(StrEnum):
    """The state of a run, and of an attempt of one of its tasks."""

    RUNNING = "running"
    SUCCESS = "success"
    PROBLEMS = "success with problems"
    FAILED = "failed"


SUCCEEDED = (RunState.SUCCESS, RunState.PROBLEMS)
"""States of a run that came to its end; with problems, when a person has to look at some of its customers."""


class TaskId(StrEnum):
    """The tasks of an import DAG, in their order."""

    START_RUN = "start_run"
    EXTRACT_CUSTOMERS = "extract_customers"
    VALIDATE_CUSTOMERS = "validate_customers"
    TRANSFORM_CUSTOMERS = "transform_customers"
    LIST_ACCOUNTS = "list_accounts"
    APPROVE_LOAD = "approve_load"
    LOAD_CUSTOMERS = "load_customers"
    FINISH_RUN = "finish_run"


class StagedState(StrEnum):
    """How far a row of ``staged_customers`` has come."""

    LISTED = "listed"  # still to be asked for
    FETCHED = "fetched"
    LEFT = "left"  # ends in the extraction, with an outcome
    FAILED = "failed"  # Partner Center gave no usable answer
    CARRIED = "carried"  # not read: nothing about it changed since an earlier run
    UNSELECTED = (
        "unselected"  # of a reseller that the run was not started for: no result, no memory
    )


READ_STATES = (StagedState.FETCHED, StagedState.LEFT, StagedState.FAILED)
"""States of a tenant that the run asked Partner Center about, and that it was started for."""


class Severity(StrEnum):
    """What breaking a validation rule does to a customer."""

    CRITICAL = "critical"  # rejected
    WARNING = "warning"  # imported, and said


class ReferenceName(StrEnum):
    """What a run looks up once and its tasks share; rows of ``reference_data``."""

    ORGANISATION = "organisation"
    COUNTRY_RULES = "country_rules"
    RESELLERS = "resellers"
    CHOICES = "choices"  # what the organisation has to choose from for new records, by name
    ORDERING = "ordering"  # the ordering options that the run gives to new accounts
    APPROVAL = "approval"  # whether the load is to be approved, and the answer
    PATHS = "paths"  # the mapped values that the extraction takes of each customer
    SELECTION = "selection"  # name in the run's parameters to the tenant id that it meant
    DRIFT = "drift"  # how many customers a check compared
    TWINS = "twins"  # second accounts of linked customers, and up to which account number they were looked for


class NoticeKind(StrEnum):
    """What people are told about without asking."""

    FAILED = "failed"  # a run ended as failed
    PROBLEMS = "problems"  # customers failed or were rejected
    WAITING = "waiting"  # customers wait for a person's decision
    NEW_CUSTOMERS = "new_customers"  # customers were created
    OVERDUE = "overdue"  # the last good import of a schedule is older than it should be
    EXPIRING = "expiring"  # a client secret or refresh token ends soon


class Answer(StrEnum):
    """What came of the question whether a run may write to the BSS."""

    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"


class DecisionKind(StrEnum):
    """What a person settles about a tenant, or about an import, beyond one run."""

    EXCLUDE = "exclude"  # it is not imported
    LINK = "link"  # it is this BSS account
    CREATE = "create"  # it is none of the BSS accounts that have its name
    RESELLER = "reseller"  # it is this reseller's customer, whatever its subscriptions say
    EMPTY = "empty"  # of an import: that it has no customers is right


class Sign(StrEnum):
    """What a BSS account without tenant id and a customer have in common."""

    DOMAIN_PREFIX = "domain_prefix"
    NAME = "name"
    CORE_NAME = "core_name"  # the name without its legal form
    ADDRESS = "address"
    EMAIL_DOMAIN = "email_domain"


class ReasonCode(StrEnum):
    """Why a tenant has its outcome, as a key that can be counted; the reason's text is for people."""

    ALREADY_IMPORTED = (
        "already_imported"  # skipped: the other import of this instance made the account
    )
    EXCLUDED = "excluded"  # skipped: a person decided so
    CUSTOMER_LEFT = "customer_left"  # skipped: no relationship with the customer any more
    CUSTOMER_GONE = "customer_gone"  # skipped: Partner Center no longer has it
    NOT_A_RESELLER_RELATIONSHIP = "not_a_reseller_relationship"  # skipped: relationshipToPartner
    UNKNOWN_RESELLER = "unknown_reseller"  # skipped: MPN ID of no reseller of this partner
    CLAIMED_ELSEWHERE = "claimed_elsewhere"  # skipped: another run is writing this tenant
    SUPERSEDED = "superseded"  # skipped: a newer reading of this tenant has been written
    EXISTING_SKIPPED = "existing_skipped"  # skipped: changed, but on_existing=skip
    CHANGED_SINCE_PREVIEW = (
        "changed_since_preview"  # skipped: an import would do otherwise than its preview said
    )
    NOT_APPROVED = "not_approved"  # skipped: nobody approved that the run writes to the BSS
    SEVERAL_RESELLERS = "several_resellers"  # ambiguous
    OTHER_MARKER = "other_marker"  # ambiguous: the linked account carries another tenant's id
    OTHER_LINK = "other_link"  # ambiguous: the account is linked to another tenant
    SAME_NAME = "same_name"  # ambiguous: an account without tenant marker has this name
    LOOKALIKE = (
        "lookalike"  # ambiguous: an account without tenant marker has much in common with it
    )
    IN_QUEUE = "in_queue"  # skipped: new, and this instance creates nobody before a person decides
    SEVERAL_ACCOUNTS = "several_accounts"  # ambiguous: the marker is on two accounts
    DECISION_CONTRADICTED = (
        "decision_contradicted"  # ambiguous: a decision and what the BSS holds exclude each other
    )
    VALIDATION = "validation"  # rejected: a critical expectation failed
    NO_BILLING_PROFILE = "no_billing_profile"  # rejected
    BSS_REFUSED = "bss_refused"  # rejected: the BSS refused the data
    BSS_ERROR = "bss_error"  # failed
    LINK_DELETED = "link_deleted"  # failed: its row of the ledger was deleted while it was written
    CONFIGURATION = "configuration"  # failed: the BSS refused what a profile or an instance says
    NOT_CLASSIFIED = (
        "not_classified"  # failed: nobody could tell whose customer it is, so it is not discovered
    )
    EXTRACTION_ERROR = "extraction_error"  # failed: Partner Center did not give a usable answer
    NOT_REACHED = "not_reached"  # failed: the run's load ended before this tenant's turn
    NEW = "new"  # created
    ADOPTED = (
        "adopted"  # updated / unchanged: an account that already carried the marker was linked
    )
    CHANGED = "changed"  # updated
    SAME = "same"  # unchanged


MATCHED = (ReasonCode.SAME_NAME, ReasonCode.LOOKALIKE, ReasonCode.IN_QUEUE)
"""Of customers that wait for a person to say which account they are, or that they are new."""

LEFT = (ReasonCode.CUSTOMER_LEFT, ReasonCode.CUSTOMER_GONE)
"""What Partner Center says of customers that are no longer this partner's, and of all when the partner lost a right."""


class DriftKind(StrEnum):
    """In what Partner Center, links and BSS disagree about a linked customer; ``DRIFT`` says what each means."""

    CUSTOMER_GONE = "customer_gone"
    LINK_WITHOUT_ACCOUNT = "link_without_account"
    ACCOUNT_GONE = "account_gone"
    MARKER_DIFFERS = "marker_differs"
    MARKER_DOUBLED = "marker_doubled"
    MARKER_REMOVED = "marker_removed"
    CONTACT_GONE = "contact_gone"
    FIELDS_EDITED = "fields_edited"
    SYNC_OPTIONS_DIFFER = "sync_options_differ"


class DriftMeaning(NamedTuple):
    """What a kind of drift means, and what a person does about it.

    Attributes:
        title: Its name.
        meaning: When it is found.
        to_do: What to do about it.
        decisions: What a person may decide about it, the likeliest first.
        is_repairable: Whether an import of the customer, with the scope ``verify``, mends it.
        is_whole: Whether it leaves nothing else to compare of the customer.
    """

    title: str
    meaning: str
    to_do: str
    decisions: tuple[DecisionKind, ...] = ()
    is_repairable: bool = False
    is_whole: bool = False


DRIFT: dict[DriftKind, DriftMeaning] = {
    DriftKind.CUSTOMER_GONE: DriftMeaning(
        "Customer gone",
        "Partner Center does not list the linked customer any more, or says that it has left.",
        "End the account in the BSS if that is right, and exclude the customer.",
        (DecisionKind.EXCLUDE,),
        is_whole=True,
    ),
    DriftKind.LINK_WITHOUT_ACCOUNT: DriftMeaning(
        "Link without account",
        "The ledger says that the customer's account was made, or begun, and does not know which one it is.",
        "Import the customer again: its account is looked for before anything is sent.",
        is_repairable=True,
        is_whole=True,
    ),
    DriftKind.ACCOUNT_GONE: DriftMeaning(
        "Account gone",
        "The BSS does not have the linked account any more.",
        "Restore it in the BSS, or decide which account the customer is, or that it is excluded.",
        (DecisionKind.LINK, DecisionKind.EXCLUDE),
        is_whole=True,
    ),
    DriftKind.MARKER_DIFFERS: DriftMeaning(
        "Tenant id of another",
        "The linked account carries another tenant id, or none while another account carries this customer's.",
        "Enter the tenant id in the right account, or decide which account the customer is.",
        (DecisionKind.LINK, DecisionKind.EXCLUDE),
        is_whole=True,
    ),
    DriftKind.MARKER_DOUBLED: DriftMeaning(
        "Tenant id doubled",
        "More than one account carries the customer's tenant id.",
        "Remove it from all but one in the BSS, or decide which account the customer is.",
        (DecisionKind.LINK, DecisionKind.EXCLUDE),
    ),
    DriftKind.MARKER_REMOVED: DriftMeaning(
        "Tenant id removed",
        "The linked account carries no tenant id, and no other account carries it.",
        "Import the customer again: its tenant id is entered again.",
        is_repairable=True,
    ),
    DriftKind.CONTACT_GONE: DriftMeaning(
        "Contact gone",
        "The BSS does not have the linked contact any more, or the link names none.",
        "Import the customer again: the account's primary contact takes over, or one is created.",
        is_repairable=True,
    ),
    DriftKind.FIELDS_EDITED: DriftMeaning(
        "Fields edited",
        "Fields of account or contact differ from what was written, and Partner Center has not changed since.",
        "Import the customer again to write Partner Center's values, or enter the BSS's in Partner Center.",
        (DecisionKind.EXCLUDE,),
        is_repairable=True,
    ),
    DriftKind.SYNC_OPTIONS_DIFFER: DriftMeaning(
        "Sync options differ",
        "Sync options differ from what was written, and Partner Center has not changed since.",
        "Import the customer again to write them; it provisions nothing.",
        is_repairable=True,
    ),
}
"""The nine kinds, what stands for the whole customer first."""
