"""Audit records may come late, and each is read for once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import audit_records_seen
from customer_import.vocabulary import Outcome
from tests.imports.scene import on
from tests.tasks.changed_scope.looks import AUDIT, DIRECT, age, changed, imported, reads

if TYPE_CHECKING:
    from tests.imports.scene import Scene

CITY = {"billingProfile": {"defaultAddress": {"city": "Volos"}}}


def test_a_record_that_appears_hours_after_the_change_is_read_for(scene: Scene) -> None:
    customers = imported(scene, 3)
    scene.configure(full_read_every_days=None)
    scene.edit(customers[1], **CITY)
    late = scene.sandbox.source.audit.pop()
    moment = datetime.now(UTC) - timedelta(hours=5)
    late.document["operationDate"] = f"{moment:%Y-%m-%dT%H:%M:%S}Z"
    assert changed(scene).counts() == {"unchanged": 3}
    scene.sandbox.source.audit.append(late)
    assert changed(scene).of(customers[1]).outcome == Outcome.UPDATED
    assert changed(scene).counts() == {"unchanged": 3}
    assert reads(scene) == set()


@on("sqlite")
def test_a_record_that_appears_after_midnight_is_read_for(scene: Scene) -> None:
    """Of a change of the evening before, by a run that comes after a complete run of this day."""
    customers = imported(scene, 2)
    scene.configure(full_read_every_days=None)
    scene.edit(customers[0], **CITY)
    record = scene.sandbox.source.audit.pop()
    assert changed(scene).counts() == {"unchanged": 2}
    evening = datetime.now(UTC).replace(hour=0, minute=0) - timedelta(minutes=10)
    late = record.document | {"operationDate": f"{evening:%Y-%m-%dT%H:%M:%S}Z"}
    scene.sandbox.source.audit.append(type(record)(f"{evening:%Y-%m-%d}", late))
    assert changed(scene).of(customers[0]).outcome == Outcome.UPDATED


def test_a_record_is_read_for_once_and_by_complete_runs(scene: Scene) -> None:
    customers = imported(scene, 3)
    scene.edit(customers[0], **CITY)
    assert changed(scene, mode="preview").counts() == {"would_update": 1, "unchanged": 2}
    assert changed(scene).counts() == {"updated": 1, "unchanged": 2}
    assert reads(scene) == {customers[0].tenant_id}
    assert changed(scene).counts() == {"unchanged": 3}
    assert reads(scene) == set()


@on("sqlite")
def test_a_full_run_has_read_for_all_records(scene: Scene) -> None:
    customers = scene.sell(DIRECT, 3)
    scene.edit(customers[0], **CITY)
    scene.run(DIRECT)
    assert changed(scene).summary.scope == "changed"
    assert reads(scene) == set()
    assert scene.sandbox.requests.count(AUDIT) == 1


@on("sqlite")
def test_records_that_no_window_reaches_any_more_are_forgotten(scene: Scene) -> None:
    customers = imported(scene, 2)
    scene.edit(customers[0], **CITY)
    changed(scene)
    count = select(func.count()).select_from(audit_records_seen)
    with reading(scene.engine) as connection:
        assert connection.execute(count).scalar_one() == 1
    scene.sandbox.source.audit.clear()
    age(scene, 4)
    changed(scene)
    changed(scene)
    with reading(scene.engine) as connection:
        assert connection.execute(count).scalar_one() == 0


@on("sqlite")
def test_a_record_of_tomorrow_counts_today(scene: Scene) -> None:
    """Partner Center's clock, or its idea of a day, may be another one."""
    customers = imported(scene, 2)
    scene.edit(customers[0], **CITY)
    record = scene.sandbox.source.audit[-1]
    tomorrow = datetime.now(UTC) + timedelta(hours=24)
    scene.sandbox.source.audit[-1] = type(record)(f"{tomorrow:%Y-%m-%d}", record.document)
    assert changed(scene).of(customers[0]).outcome == Outcome.UPDATED
