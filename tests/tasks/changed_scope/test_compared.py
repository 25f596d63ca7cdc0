"""A complete run is compared with the one before it: whom that one discovered is discovered, or there is a reason."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
)
from customer_import.errors import ConservationError
from customer_import.vocabulary import ImportType, StagedState
from tests.imports.scene import on
from tests.support.library_run import finish
from tests.tasks.changed_scope.looks import DIRECT, changed, imported, reads, unverified

if TYPE_CHECKING:
    from tests.imports.scene import Scene


def test_the_figures_are_said(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    customers = imported(scene, 4)
    scene.sandbox.source.remove(customers[0].tenant_id)
    scene.resubscribe(customers[1], scene.resellers[1].mpn_id)
    scene.sell(DIRECT, 2)
    unverified(scene, DIRECT)
    line = "4 discovered then, 2 new, 1 vanished, 0 left out, 1 moved away, 0 of whom nobody could tell; 4 now"
    assert line in caplog.text


def test_a_customer_that_disappears_without_being_read_fails_the_run(scene: Scene) -> None:
    customers = imported(scene, 3)
    run = scene.load(scene.stage(DIRECT, scope="changed"))
    lost = customers[1].tenant_id
    with scene.engine.begin() as connection:
        connection.execute(
            update(staged_customers)
            .where(staged_customers.c.run_id == run.key, staged_customers.c.tenant_id == lost)
            .values(is_discovered=False)
        )
        connection.execute(
            delete(import_results).where(
                import_results.c.run_id == run.key, import_results.c.tenant_id == lost
            )
        )
    with pytest.raises(ConservationError, match=r"1 of 3 customers that run \d+ discovered"):
        finish(scene.engine, run)
    assert changed(scene).counts() == {"unchanged": 3}


@on("sqlite")
def test_a_run_that_is_closed_again_is_not_compared_with_a_later_one(scene: Scene) -> None:
    customer, _ = imported(scene, 2)
    scene.resubscribe(customer, scene.resellers[1].mpn_id)
    run = scene.load(scene.stage(DIRECT, scope="changed"))
    finish(scene.engine, run)
    scene.resubscribe(customer, None)
    scene.run(DIRECT)
    with scene.engine.begin() as connection:  # its clock was ahead
        ahead = datetime.now(UTC) + timedelta(hours=1)
        same = import_runs.c.id == run.key
        connection.execute(update(import_runs).where(same).values(read_at=ahead))
        staged = update(staged_customers).where(staged_customers.c.run_id == run.key)
        connection.execute(staged.values(state=StagedState.CARRIED.value))
    finish(scene.engine, run)


@on("sqlite")
def test_a_memory_that_contradicts_the_run_before_is_read_again(scene: Scene) -> None:
    customers = imported(scene, 3)
    with scene.engine.begin() as connection:
        connection.execute(
            update(known_tenants)
            .where(known_tenants.c.tenant_id == customers[0].tenant_id)
            .values(is_discovered=False, outcome=None, account_id=None)
        )
    assert changed(scene).counts() == {"unchanged": 3}
    assert reads(scene) == {customers[0].tenant_id}


@on("sqlite")
def test_moves_between_resellers_are_counted(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    indirect = ImportType.INDIRECT
    customers = scene.sell(indirect, 3)
    for customer in customers:
        scene.resubscribe(customer, scene.resellers[1].mpn_id)
    scene.run(indirect)
    scene.resubscribe(customers[0], scene.resellers[2].mpn_id)
    unverified(scene, indirect)
    assert "1 to another reseller" in caplog.text
