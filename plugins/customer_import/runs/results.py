"""The one row that says what became of a tenant in a run, and the one place that writes it.

A row comes as a ``Result``, which may replace what ``Replaces`` says; or, where thousands are alike, from a ``SELECT``
over the staged customers, which replaces nothing. Both have the columns of ``Result``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self

from sqlalchemy import ColumnElement, and_, delete, func, insert, literal, select, update

from customer_import.database.engine import dialect_insert, reading
from customer_import.database.names import folded_name
from customer_import.database.tables import import_results, staged_customers
from customer_import.vocabulary import Outcome, TaskId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Engine, Executable, Select

    from customer_import.runs.run import Run
    from customer_import.runs.verdict import Verdict
    from customer_import.vocabulary import FieldFate, ReasonCode


MOST_CHARACTERS = 2_000
"""Of a stored reason, warning or error; services may say megabytes."""
MOST_WARNINGS = 50
"""Of one result."""
_WARNED_AT_ONCE = 500


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text as it is stored: at most so many characters, and an ellipsis where something is missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


class Replaces(StrEnum):
    """Which result of the same tenant and run a new one may replace."""

    ANY = "any"
    """The task that writes is the only one that has something to say of these tenants, and may say it again."""

    UNWRITTEN = "unwritten"
    """Any but that of a tenant which this run has written to the BSS: what a task finds out about it when it is tried
    again does not undo that."""

    FAILED = "failed"
    """A tenant's first result stands; only a failed one is replaced, when the task is tried again. So an attempt
    that lives on without supervision cannot overwrite what its successor found out."""


class Tenant(Protocol):
    """What a result repeats of its tenant, so that it can be read without staging."""

    @property
    def tenant_id(self) -> str:
        """The tenant."""

    @property
    def tenant_name(self) -> str | None:
        """Company name as Partner Center lists it."""

    @property
    def domain(self) -> str | None:
        """Primary domain."""

    @property
    def reseller_mpn_id(self) -> str | None:
        """Of its reseller, when it has one."""

    @property
    def reseller_name(self) -> str | None:
        """The same."""


@dataclass(frozen=True)
class Result:
    """A row of ``import_results``; the fields are its columns (``run_key`` is column ``run_id``)."""

    run_key: int
    tenant_id: str
    import_type: str
    instance: str
    tenant_name: str | None
    domain: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    outcome: str
    reason_code: str
    reason: str
    warnings: list[str] | None
    account_id: int | None
    contact_id: int | None
    attempts: int
    task_id: str
    map_index: int | None
    read_at: datetime | None
    recorded_at: datetime
    fields: dict[str, str] | None = None
    candidates: list[dict[str, Any]] | None = None  # account, name and signs

    @classmethod
    def of(
        cls,
        run: Run,
        tenant: Tenant,
        verdict: Verdict,
        task_id: TaskId,
        *,
        map_index: int | None = None,
        warnings: Iterable[str] = (),
        account_id: int | None = None,
        contact_id: int | None = None,
        attempts: int = 1,
        read_at: datetime | None = None,
        recorded_at: datetime | None = None,
        fields: Mapping[str, FieldFate] | None = None,
        candidates: Sequence[dict[str, Any]] = (),
    ) -> Self:
        """Return what a task found out about a tenant.

        Args:
            run: The run.
            tenant: The tenant.
            verdict: What became of it, and why.
            task_id: The task that says so.
            map_index: Its index, when it is mapped.
            warnings: What a person should know all the same, in words.
            account_id: The BSS account, when there is one.
            contact_id: Its contact, when there is one.
            attempts: How often the tenant was worked on.
            read_at: When Partner Center gave what it is about, UTC.
            recorded_at: UTC; the present moment when left out.
            candidates: BSS accounts that it may be, best first.
            fields: BSS fields that differ from Partner Center, by name; ``None`` when nobody compared.
        """
        return cls(
            run_key=run.key,
            tenant_id=tenant.tenant_id,
            import_type=run.import_type.value,
            instance=run.params.instance,
            tenant_name=tenant.tenant_name,
            domain=tenant.domain,
            reseller_mpn_id=tenant.reseller_mpn_id,
            reseller_name=tenant.reseller_name,
            outcome=verdict.outcome.value,
            reason_code=verdict.reason_code.value,
            reason=shorten(verdict.reason),
            warnings=[shorten(warning) for warning in islice(warnings, MOST_WARNINGS)] or None,
            account_id=account_id,
            contact_id=contact_id,
            attempts=attempts,
            task_id=task_id.value,
            map_index=map_index,
            read_at=read_at,
            recorded_at=recorded_at or datetime.now(UTC),
            fields=None if fields is None else {name: fate.value for name, fate in fields.items()},
            candidates=list(candidates) or None,
        )


_KEY = ("run_id", "tenant_id")
_COLUMNS = (
    "run_id",
    *(field.name for field in dataclasses.fields(Result) if field.name != "run_key"),
    "name_folded",
)


def record_results(
    connection: Connection, results: Sequence[Result], *, replaces: Replaces
) -> None:
    """Write results.

    Args:
        connection: An open write transaction.
        results: No tenant twice.
        replaces: Which results that are there already give way.
    """
    if results:
        rows = []
        # In one order, so that two attempts at one task, each with many results, never wait for each other.
        for result in sorted(results, key=lambda result: (result.run_key, result.tenant_id)):
            row = dict(vars(result))
            row["run_id"] = row.pop("run_key")
            row["name_folded"] = folded_name(result.tenant_name, result.domain)
            rows.append(row)
        connection.execute(_statement(connection.dialect.name, replaces), rows)


def warn_of_carried(connection: Connection, run_key: int, warnings: Mapping[str, str]) -> None:
    """Add a warning to the results of customers that a run did not load; repeating it changes nothing.

    Args:
        connection: An open write transaction.
        run_key: The run.
        warnings: By tenant.
    """
    results = import_results.c
    tenant_ids = sorted(warnings)
    for start in range(0, len(tenant_ids), _WARNED_AT_ONCE):
        carried = and_(
            results.run_id == run_key,
            results.task_id == TaskId.EXTRACT_CUSTOMERS.value,
            results.account_id.is_not(None),
            results.tenant_id.in_(tenant_ids[start : start + _WARNED_AT_ONCE]),
        )
        found = select(results.tenant_id, results.warnings).where(carried)
        for row in connection.execute(found).all():
            said = row.warnings or []
            if (warning := shorten(warnings[row.tenant_id])) not in said:
                same = and_(results.run_id == run_key, results.tenant_id == row.tenant_id)
                told = [warning, *said][:MOST_WARNINGS]
                connection.execute(update(import_results).where(same).values(warnings=told))


def delete_results(connection: Connection, run_key: int, reason_code: ReasonCode) -> None:
    """Delete the results of a run that have a reason which holds no more."""
    columns = import_results.c
    own = (columns.run_id == run_key) & (columns.reason_code == reason_code.value)
    connection.execute(delete(import_results).where(own))


def record_selected_results(connection: Connection, rows: Select[Any]) -> None:
    """Write results that the database makes itself; none of these tenants may have one yet.

    Args:
        connection: An open write transaction.
        rows: A ``SELECT`` of ``result_columns``.
    """
    connection.execute(insert(import_results).from_select(list(_COLUMNS), rows))


def result_columns(
    import_type: str, instance: str, recorded_at: datetime, **values: object
) -> list[ColumnElement[Any]]:
    """Return what to select from ``staged_customers`` for a result of each row.

    Args:
        import_type: The run's.
        instance: The run's.
        recorded_at: UTC.
        values: The other columns, as SQL expressions or plain values; what is left out is empty.

    Raises:
        TypeError: A value has the name of no column.
    """
    staged = staged_customers.c
    values |= {
        "run_id": staged.run_id,
        "tenant_id": staged.tenant_id,
        "tenant_name": staged.tenant_name,
        "domain": staged.domain,
        "name_folded": staged.name_folded,
        "import_type": import_type,
        "instance": instance,
        "recorded_at": recorded_at,
    }
    values.setdefault("read_at", staged.fetched_at)
    if unknown := values.keys() - set(_COLUMNS):
        message = f"a result has no column {', '.join(sorted(unknown))}"
        raise TypeError(message)
    return [_expression(name, values.get(name)) for name in _COLUMNS]


def find_former(engine: Engine, instance: str, names: Collection[str]) -> set[str]:
    """Return which names (tenant ids or primary domains, lower-cased) have a result of any run of an instance."""
    if not names:
        return set()
    table = import_results.c
    found: set[str] = set()
    with reading(engine) as connection:
        for column in (table.tenant_id, table.domain):
            rows = select(column).where(table.instance == instance, column.in_(names)).distinct()
            found.update(connection.execute(rows).scalars())
    return found


def _expression(name: str, value: object) -> ColumnElement[Any]:
    if name == "reason":
        is_made = isinstance(value, ColumnElement)
        return (
            func.substr(value, 1, MOST_CHARACTERS)
            if is_made
            else literal(value and shorten(str(value)))
        )
    if isinstance(value, ColumnElement):
        return value
    return literal(value, type_=import_results.c[name].type)


@cache
def _statement(dialect: str, replaces: Replaces) -> Executable:
    """Built once, because a load runs it thousands of times."""
    statement = dialect_insert(dialect, import_results)
    outcome = import_results.c.outcome
    gives_way = {
        Replaces.ANY: None,
        Replaces.UNWRITTEN: (outcome != Outcome.CREATED.value) & (outcome != Outcome.UPDATED.value),
        Replaces.FAILED: outcome == Outcome.FAILED.value,
    }
    return statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={name: statement.excluded[name] for name in _COLUMNS if name not in _KEY},
        where=gives_way[replaces],
    )
