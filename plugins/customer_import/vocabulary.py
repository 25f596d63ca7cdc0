"""The words of the import as types: import types, modes, outcomes, reason codes, tasks, states.

One word per idea; the glossary in docs/architecture explains each. This module imports nothing heavy, because DAG
files read it.
"""

from __future__ import annotations

from enum import StrEnum


class ImportType(StrEnum):
    """Whose customers a run imports; each has a DAG of its own."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    TENANT_RESELLER = "tenant_reseller"

    @property
    def dag_id(self) -> str:
        """The id of the DAG that runs this import."""
        return f"import_{self.value}_customers"


class Mode(StrEnum):
    """How far a run goes."""

    IMPORT = "import"
    PREVIEW = "preview"
    DISCOVER = "discover"
    CHECK = "check"


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
    SELECTION = "selection"  # name in the run's parameters to the tenant id that it meant


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
