"""What the pages and the JSON API show, as frozen models: read once, rendered or sent."""

# ruff: noqa: TC001, TC003 - pydantic reads the annotations at run time
from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from customer_import.runs.previews import WOULD_WRITE
from customer_import.vocabulary import (
    DecisionKind,
    DriftKind,
    FieldFate,
    ImportType,
    Mode,
    Outcome,
    Sign,
)


class View(BaseModel):
    """Base of everything shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Item = TypeVar("Item")


class Page(View, Generic[Item]):
    """One page of a list; a cursor that is ``null`` says that there is no such page."""

    items: tuple[Item, ...] = ()
    previous_cursor: str | None = None
    next_cursor: str | None = None


class ShownState(StrEnum):
    """The state of a run as people know it from Airflow."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    PROBLEMS = "success with problems"
    FAILED = "failed"


class SilentTask(View):
    """A task that should be at work, and whose process gives no sign of life.

    Attributes:
        task: Its name, such as ``load_customers[3]``.
        since: UTC; its last sign of life.
    """

    task: str
    since: datetime


class Progress(View):
    """How far a run has come.

    Attributes:
        step: What it is doing, in words.
        done: Customers done in this step, when they are counted.
        total: Out of how many.
        per_second: Customers a second, when it can be told.
        seconds_left: At that rate.
        silent: Tasks whose process seems to be dead; Airflow starts them again after some minutes.
    """

    step: str
    done: int | None = None
    total: int | None = None
    per_second: float | None = None
    seconds_left: float | None = None
    silent: list[SilentTask] = Field(default_factory=list)


class PreviewView(View):
    """What an import did with what a preview had said.

    Attributes:
        run: Airflow run id of the preview.
        customers: How many that would create or update.
        as_previewed: Those treated as it said, field by field.
        otherwise: The others.
    """

    run: str
    customers: int
    as_previewed: int
    otherwise: int


class DriftSummary(View):
    """What a check compared and found.

    Attributes:
        linked: Customers with a link.
        compared: Those whose content is what was written, and so was compared with the BSS.
        changed: Those that changed in Partner Center or by the mapping since; the next import compares them.
        found: Findings by kind.
    """

    linked: int
    compared: int
    changed: int
    found: dict[DriftKind, int]


class ApprovalView(View):
    """Whether a run may write to the BSS: what a person was asked, and what came of it.

    Attributes:
        why: Why the run asks.
        create: Customers that get a new account.
        update: Customers in whose account something is written.
        overwrite: Those among them that lose a value that the BSS has.
        is_open: Whether the run waits for the answer.
        told: The answer in words; empty while it waits.
    """

    why: str
    create: int
    update: int
    overwrite: int
    is_open: bool
    told: str


class ApiUseView(View):
    """What a run used of one API.

    Attributes:
        requests: Requests sent, repeated ones included.
        throttled: Answers that said that there were too many.
        waited_s: Seconds in which a limit held back at least one request, over all tasks.
    """

    requests: int
    throttled: int
    waited_s: float


class RunView(View):
    """One run.

    Attributes:
        key: ``import_runs.id``; ``null`` while the run waits for its first task.
        dag_id: The DAG.
        run_id: The Airflow run id.
        import_type: Whose customers.
        instance: The instance, when known.
        mode: How far it goes, when known.
        state: Airflow's word.
        started_by: The Airflow user, when one started it.
        started_at: UTC.
        ended_at: UTC.
        listed: Tenants that Partner Center listed.
        discovered: Tenants of the import type among them.
        remaining: Those of the discovered who had not left by then.
        unclassified: Tenants of which no answer told whose they are; they count as failed, not as discovered.
        outcomes: Count per outcome that occurs.
        warnings: Customers with a warning; known when the run has ended.
        error: Why it failed, in words.
        fields: Customers per BSS field that is ``changed``, ``emptied`` or ``left_alone``; known at the end.
        previewed: Of a run that was started from a preview: how many customers it treated as that said.
        drift: Of a check that has ended.
        approval: Of a run that asks a person before it writes.
        waiting: Customers that were in the matching queue at its end.
        api_use: What it used of each API; known at the end.
        progress: While it works.
    """

    key: int | None
    dag_id: str
    run_id: str
    import_type: ImportType
    instance: str | None
    mode: Mode | None
    state: ShownState
    started_by: str | None
    started_at: datetime | None
    ended_at: datetime | None
    listed: int | None = None
    discovered: int | None = None
    remaining: int | None = None
    unclassified: int = 0
    outcomes: dict[Outcome, int] = {}
    warnings: int | None = None
    error: str | None = None
    fields: dict[str, dict[str, int]] = {}
    previewed: PreviewView | None = None
    drift: DriftSummary | None = None
    approval: ApprovalView | None = None
    waiting: int = 0
    api_use: dict[str, ApiUseView] = {}
    progress: Progress | None = None

    @property
    def would_write(self) -> int:
        """Customers that a preview would create or update."""
        return sum(self.outcomes.get(outcome, 0) for outcome in WOULD_WRITE)

    @property
    def is_active(self) -> bool:
        """Whether it waits or works."""
        return self.state in {ShownState.QUEUED, ShownState.RUNNING}


class FieldChange(View):
    """A BSS field that a run changed, or that an import would change.

    Attributes:
        field: The BSS's name of it, as in reasons; a contact's begins with ``contact.``.
        before: What the BSS had; ``None`` when it was empty.
        after: What it gets; ``None`` when it is emptied.
        before_name: Name of what an id stands for: country, state, user or permission rule.
        after_name: The same.
        rule: The mapping's rule by which it changes: ``overwrite``, ``fill``, ``clear`` or ``address`` (a part of an
            address that changes as a whole); ``None`` for what no mapping names.
    """

    field: str
    before: str | None
    after: str | None
    before_name: str | None = None
    after_name: str | None = None
    rule: str | None = None


class CandidateView(View):
    """A BSS account that a customer may be.

    Attributes:
        account_id: The account.
        name: Its name, in small letters.
        signs: What it has in common with the customer, the strongest first.
    """

    account_id: int
    name: str
    signs: tuple[Sign, ...]


class ResultView(View):
    """One tenant's result in one run; the names are the columns of ``import_results``.

    ``fields`` says what became of each BSS field that differed, and is ``None`` when nobody compared; ``changes`` has
    the values, as long as they are kept. ``candidates`` are accounts that the customer may be, best first. ``read_at``
    is when Partner Center gave what the result is about.
    """

    run_key: int
    tenant_id: str
    tenant_name: str | None
    domain: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    outcome: Outcome
    reason_code: str | None
    reason: str | None
    warnings: tuple[str, ...]
    account_id: int | None
    contact_id: int | None
    attempts: int | None
    task_id: str | None
    map_index: int | None
    read_at: datetime | None
    recorded_at: datetime
    fields: dict[str, FieldFate] | None = None
    changes: tuple[FieldChange, ...] = ()
    candidates: tuple[CandidateView, ...] = ()


class DriftView(View):
    """One thing in which Partner Center, links and BSS disagree about a customer.

    Attributes:
        run_key: The check that found it.
        tenant_id: The customer.
        tenant_name: As a run listed it last.
        domain: The same.
        kind: What it is.
        title: The same, in words.
        detail: With numbers of accounts and names of fields.
        to_do: What to do about it.
        decisions: What a person may decide about it.
        is_repairable: Whether an import of the customer mends it.
        account_id: The linked account.
        contact_id: The linked contact.
        fields: What an import would make of each field or sync option that differs.
        changes: The same with the values, as long as they are kept.
        found_at: UTC.
    """

    run_key: int
    tenant_id: str
    tenant_name: str | None
    domain: str | None
    kind: DriftKind
    title: str
    detail: str
    to_do: str
    decisions: tuple[DecisionKind, ...]
    is_repairable: bool
    account_id: int | None
    contact_id: int | None
    fields: dict[str, FieldFate] = {}
    changes: tuple[FieldChange, ...] = ()
    found_at: datetime


class HistoryEntry(View):
    """One tenant's result with the run that gave it."""

    dag_id: str
    run_id: str
    import_type: ImportType
    mode: Mode
    result: ResultView


class SentField(View):
    """One field of a record, from the source to the BSS.

    Attributes:
        record: ``account``, ``contact`` or ``sync options``.
        target: The BSS's name of the field.
        source: The path in Partner Center that gave the value.
        source_value: As Partner Center has it.
        mapped_value: As it goes to the BSS.
        fate: What became of it; ``None`` when BSS and Partner Center were equal, or nobody compared.
        change: When it was changed, or would be.
        mapped_name: Name of what an id stands for.
    """

    record: str
    target: str
    source: str
    source_value: str | None
    mapped_value: str | None
    mapped_name: str | None
    fate: FieldFate | None
    change: FieldChange | None


class TenantStatus(StrEnum):
    """Where a tenant stands with the import."""

    NOT_IMPORTED = "not_imported"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    AMBIGUOUS = "ambiguous"
    SKIPPED = "skipped"

    @property
    def is_selectable(self) -> bool:
        """Whether the tenant has a check-box: the reference's rule (docs/api/bss.md section 1.3)."""
        return self not in {self.COMPLETED, self.IN_PROGRESS, self.PENDING}


class DecisionState(StrEnum):
    """What became of a decision."""

    STANDS = "stands"
    REPLACED = "replaced"  # by a newer one of its kind, or revoked by one
    OVER = "over"  # its last day is past
    REVOCATION = "revocation"  # no decision, but the end of the one before it


class DecisionView(View):
    """One row of ``tenant_decisions`` as it is shown.

    Attributes:
        number: Its id.
        decision: The kind.
        says: What it settles, in words that follow on a tenant.
        value: Of ``link`` the account, of ``reseller`` the MPN ID.
        reseller_name: As it was entered.
        reason: The same.
        until: The last day on which it stands, UTC.
        by: Who.
        at: When, UTC.
        state: What became of it.
    """

    number: int
    decision: DecisionKind
    says: str
    value: str | None
    reseller_name: str | None
    reason: str | None
    until: date | None
    by: str
    at: datetime
    state: DecisionState


class TenantView(View):
    """One tenant of the list from which imports are started."""

    tenant_id: str
    tenant_name: str | None
    domain: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    account_id: int | None
    status: TenantStatus
    is_selectable: bool
    reason: str | None
    reason_code: str | None = None
    decisions: tuple[DecisionView, ...] = ()


class ResellerView(View):
    """A reseller with the number of its end customers; ``mpn_id`` is ``None`` for those of no single reseller."""

    mpn_id: str | None
    name: str | None
    customers: int


class StartRequest(View):
    """What to send to Airflow's ``POST /api/v2/dags/{dag_id}/dagRuns`` as ``conf``.

    Attributes:
        dag_id: The DAG to start.
        count: Tenants in ``conf``; 0 when it names none, and so is for all.
        is_cut: There are more tenants than one run can be asked for by name.
        conf: The run's parameters.
    """

    dag_id: str
    count: int
    is_cut: bool
    conf: dict[str, Any]  # the DAG's parameters, JSON of several types
