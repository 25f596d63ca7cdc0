"""The DAG that starts imports on request, its tasks called as Airflow's worker calls them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import DagRunTriggerException
from airflow.sdk.execution_time.context import OutletEventAccessors, set_current_context

from customer_import.pipeline import build_request_dag
from customer_import.pipeline.request_events import LATE, REQUESTS
from customer_import.pipeline.start_import import StartImport

if TYPE_CHECKING:
    from pathlib import Path

INSTANCES = """
version: 1
instances:
  north:
    title: North
    import_types: [direct, indirect]
    schedules:
      direct: {cron: "@daily", mode: preview}
  south: {title: South, import_types: [direct]}
"""
BEGAN = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """As much of Airflow's as the tasks look at."""

    extra: dict[str, Any]
    timestamp: datetime


@dataclass(frozen=True)
class Attempt:
    """As much of Airflow's task instance as the operator asks."""

    is_paused: bool = False

    def get_dag(self, dag_id: str) -> Attempt:
        assert dag_id.startswith("import_")
        return self


@pytest.fixture(autouse=True)
def _instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "instances.yaml"
    path.write_text(INSTANCES)
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))


def asked(import_type: str, instance: str, *tenants: str) -> dict[str, Any]:
    return {"import_type": import_type, "instance": instance, "tenants": list(tenants)}


class Inlet(list[Event]):
    """The events of an asset, as much of Airflow's as the task asks."""

    def after(self, moment: str) -> Inlet:
        return Inlet(event for event in self if event.timestamp >= datetime.fromisoformat(moment))

    def limit(self, most: int) -> Inlet:
        return Inlet(self[:most])


@dataclass(frozen=True)
class Run:
    run_after: datetime


def context_of(*extras: dict[str, Any], is_paused: bool = False, late: int = 0) -> dict[str, Any]:
    events = [Event(extra, BEGAN + timedelta(seconds=n)) for n, extra in enumerate(extras)]
    return {
        # Airflow promises no order.
        "triggering_asset_events": {REQUESTS: events[::-1]} if events else {},
        "run_id": "asset_triggered__2026-11-27",
        "dag_run": Run(BEGAN + timedelta(minutes=1)),
        "inlet_events": {
            REQUESTS: Inlet([*events, *[Event({}, BEGAN + timedelta(hours=1))] * late])
        },
        "outlet_events": OutletEventAccessors(),
        "ti": Attempt(is_paused),
    }


def read(context: dict[str, Any]) -> list[int]:
    task: Any = build_request_dag().get_task("read_requests")
    with set_current_context(cast("Any", context)):
        numbers: list[int] = task.python_callable()
    return numbers


def start(context: dict[str, Any], number: int = 0) -> DagRunTriggerException:
    task = StartImport(task_id="start_import", number=number)
    with pytest.raises(DagRunTriggerException) as raised:
        task.execute(cast("Any", context))
    return raised.value


def test_each_import_that_events_ask_for_is_started_with_its_tenants_only():
    context = context_of(
        asked("indirect", "north", "contoso.example"),
        asked("direct", "south", "fabrikam.example"),
        asked("indirect", "north", "adatum.example"),
    )
    assert read(context) == [0, 1]
    first, second = (start(context, number) for number in (0, 1))
    assert first.trigger_dag_id == "import_indirect_customers"
    assert first.conf == {
        "instance": "north",
        "tenants": ["contoso.example", "adatum.example"],
        "mode": "import",
        "scope": "full",
    }
    assert second.trigger_dag_id == "import_direct_customers"
    assert first.dag_run_id == "requested__asset_triggered__2026-11-27__0"
    assert second.dag_run_id.endswith("__1")
    assert first.logical_date is None
    assert first.skip_when_already_exists, "a task that was killed starts no second run"


def test_an_instance_with_a_schedule_is_imported_by_its_own_dag_whatever_the_schedule_does():
    found = start(context_of(asked("direct", "north", "contoso.example")))
    assert found.trigger_dag_id == "import_direct_customers__north"
    assert found.conf is not None
    assert found.conf["mode"] == "import"


def test_openlineage_adds_no_parameter_that_an_import_would_refuse():
    assert StartImport(task_id="start_import", number=0).openlineage_inject_parent_info is False


@pytest.mark.parametrize("late", [0, 1])
def test_an_event_for_which_airflow_started_no_run_gets_one(late: int):
    context = context_of(asked("direct", "south", "contoso.example"), late=late)
    assert read(context) == [0], "it is the next run's, so that nobody is imported twice"
    told = [
        event.dest_asset_key.name
        for accessor in context["outlet_events"].values()
        for event in accessor.asset_alias_events
    ]
    assert told == [LATE.name] * late


def test_a_run_without_events_starts_nothing():
    assert read(context_of()) == []


@pytest.mark.parametrize(
    ("extra", "is_paused", "says"),
    [
        (asked("direct", "north"), False, "asset event 1 at extra.tenants: names no tenant"),
        (asked("direct", "sout", "contoso.example"), False, "did you mean 'south'"),
        (asked("indirect", "south", "contoso.example"), False, "does not take the indirect import"),
        (
            asked("direct", "south", "contoso.example"),
            True,
            "DAG import_direct_customers is paused",
        ),
    ],
)
def test_what_is_wrong_fails_at_once_and_is_one_line_in_the_log(
    extra: dict[str, Any], is_paused: bool, says: str, caplog: pytest.LogCaptureFixture
):
    context = context_of(extra, is_paused=is_paused)
    assert read(context) == [0]
    with pytest.raises(SystemExit) as ended:
        StartImport(task_id="start_import", number=0).execute(cast("Any", context))
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert says in record.getMessage()
    assert record.exc_info is None
    task: Any = build_request_dag().get_task("start_import")
    policy = task.partial_kwargs["retry_policy"]
    assert policy.evaluate(ended.value, 1, 3).action is RetryAction.FAIL


def test_a_wrong_event_keeps_no_other_from_its_import():
    context = context_of({"tenants": []}, asked("direct", "south", "contoso.example"))
    assert read(context) == [0, 1]
    assert start(context).trigger_dag_id == "import_direct_customers"
