"""What was removed or never read is read again or refused; it is never taken for empty."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from customer_import.config.mapping import FieldMapping, Mappings
from customer_import.database.engine import reading
from customer_import.database.tables import (
    import_results,
    import_runs,
    staged_customers,
    validation_findings,
    validation_results,
)
from customer_import.errors import ConfigurationError, DataQualityError
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from customer_import.tasks.retention import purge
from customer_import.tasks.transform.transform import transform_customers
from customer_import.tasks.validate.validate import validate_customers
from customer_import.vocabulary import Outcome
from sandbox import FaultKind
from tests.imports.scene import on
from tests.tasks.changed_scope.looks import DIRECT, READS, changed, endings, extract_again, reads

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.tasks.load.report import LoadSummary
    from tests.imports.scene import Report, Scene


def purge_all(scene: Scene) -> None:
    assert purge(scene.engine, 1, now=datetime.now(UTC) + timedelta(days=2)).runs > 0


def cleared_from_extract(scene: Scene, run: Run) -> Report:
    scene.sandbox.requests.clear()
    extract_again(scene, run)
    validate_customers(run, scene.engine)
    transform_customers(run, scene.engine)
    return scene.finish(scene.load(run))


def test_results_of_a_purged_run_stand_when_its_extraction_is_cleared(scene: Scene) -> None:
    scene.sell(DIRECT, 3)
    (bad,) = scene.sell(DIRECT, peculiarity="no_contact_name")
    scene.sandbox.source.audit.clear()
    run = scene.load(scene.stage(DIRECT))
    before = scene.finish(run)
    purge_all(scene)
    after = cleared_from_extract(scene, run)
    assert endings(after) == endings(before)
    assert reads(scene) == {bad.tenant_id}
    assert changed(scene).counts() == {"unchanged": 3, "rejected": 1}


@on("sqlite")
def test_what_a_purged_run_had_not_imported_is_read_again_and_imported(scene: Scene) -> None:
    customers = scene.sell(DIRECT, 3)
    run = scene.stage(DIRECT)
    purge_all(scene)
    for task in (validate_customers, transform_customers):
        with pytest.raises(DataQualityError, match="clear extract_customers"):
            task(run, scene.engine)
    assert scene.results(run.key) == {}
    report = cleared_from_extract(scene, run)
    assert reads(scene) == {customer.tenant_id for customer in customers}
    assert report.counts() == {"created": 3}


@on("sqlite")
def test_a_purged_run_is_refused_before_anything_of_it_is_removed(scene: Scene) -> None:
    scene.sell(DIRECT, peculiarity="no_contact_name")
    run = scene.load(scene.stage(DIRECT))
    before = scene.finish(run)
    purge_all(scene)
    with pytest.raises(DataQualityError, match="removed"):
        validate_customers(run, scene.engine)
    assert endings(scene.finish(run)) == endings(before)


@on("sqlite")
def test_clearing_the_extraction_reads_again_what_failed(scene: Scene) -> None:
    customers = scene.sell(DIRECT, 3)
    scene.strike(READS[1], FaultKind.QUOTE, status=409, calls=(1,))
    scene.expect(customers, Outcome.CREATED, Outcome.FAILED)
    run = scene.load(scene.stage(DIRECT))
    assert scene.finish(run).summary.unclassified == 1
    scene.sandbox.faults.replace(())
    report = cleared_from_extract(scene, run)
    assert len(reads(scene)) == 1
    assert report.counts() == {"created": 3}
    assert report.summary.unclassified == 0


@on("sqlite")
def test_a_customer_that_turns_out_to_be_another_imports_leaves_no_result(scene: Scene) -> None:
    customers = scene.sell(DIRECT, 2)
    scene.strike(READS[1], FaultKind.QUOTE, status=409, calls=(1,))
    scene.expect(customers, Outcome.CREATED, Outcome.FAILED, None)
    run = scene.load(scene.stage(DIRECT))
    report = scene.finish(run)
    scene.sandbox.faults.replace(())
    (failed,) = [each for each in customers if report.of(each).outcome == Outcome.FAILED]
    scene.resubscribe(failed, scene.resellers[1].mpn_id)
    again = cleared_from_extract(scene, run)
    assert again.counts() == {"created": 1}
    assert failed.tenant_id not in again.results


@on("sqlite")
def test_a_row_without_values_is_not_mapped(scene: Scene) -> None:
    """However it lost them."""
    scene.sell(DIRECT, 2)
    run = scene.stage(DIRECT)
    with scene.engine.begin() as connection:
        connection.execute(update(staged_customers).values(source=None))
    with pytest.raises(DataQualityError, match="2 customers"):
        transform_customers(run, scene.engine)


def the_load(run: Run, engine: Engine) -> LoadSummary:
    return load_batch(run, engine, 0, attempt=2, map_index=0)


LATER_TASKS = [validate_customers, transform_customers, list_accounts, the_load]


def told(scene: Scene, run: Run) -> tuple[Any, ...]:
    """Everything that people see of a run."""
    with reading(scene.engine) as connection:
        runs = select(import_runs.c.state, import_runs.c.batches, import_runs.c.is_complete)
        rows = [connection.execute(runs.where(import_runs.c.id == run.key)).all()]
        for table in (import_results, validation_findings, validation_results):
            query = select(table).where(table.c.run_id == run.key).order_by(table.c.id)
            rows.append(connection.execute(query).all())
    return tuple(rows)


@on("sqlite")
@pytest.mark.parametrize("task", LATER_TASKS)
def test_a_task_of_a_purged_run_says_that_all_was_loaded(
    scene: Scene, task: Any, caplog: pytest.LogCaptureFixture
) -> None:
    scene.sell(DIRECT, 2, billingProfile={"email": None})
    run = scene.load(scene.stage(DIRECT))
    scene.finish(run)
    purge_all(scene)
    before = told(scene, run)
    caplog.set_level("INFO")
    task(run, scene.engine)
    assert "was removed because it was old" in caplog.text
    assert "start the import anew" in caplog.text
    assert told(scene, run) == before
    scene.finish(run)
    assert told(scene, run) == before


@on("sqlite")
@pytest.mark.parametrize("task", LATER_TASKS)
def test_a_task_of_a_purged_run_that_was_not_loaded_whole_says_what_to_do(
    scene: Scene, task: Any
) -> None:
    customers = scene.sell(DIRECT, 3)
    scene.strike("bss.accounts.create", FaultKind.READ_ONLY_FIELD, calls=(1,))
    scene.expect(customers, Outcome.CREATED, Outcome.FAILED)
    run = scene.load(scene.stage(DIRECT))
    before = endings(scene.finish(run))
    purge_all(scene)
    with pytest.raises(DataQualityError, match=r"of 1 customers .* clear extract_customers"):
        task(run, scene.engine)
    assert endings(scene.finish(run)) == before
    scene.sandbox.faults.replace(())
    assert cleared_from_extract(scene, run).counts() == {"created": 3}


def with_second_line(run: Run) -> Run:
    """Return a run as its later tasks see it when the second line of addresses was mapped in the middle of it."""
    line = FieldMapping(source="billingProfile.defaultAddress.addressLine2", on_empty="clear")
    mapped = {name: getattr(run.mappings, name) for name in Mappings.model_fields}
    mapped["account"] = {**run.mappings.account, "billingAddress.address2": line}
    return replace(run, mappings=Mappings(**mapped))


@on("sqlite")
@pytest.mark.parametrize("task", [validate_customers, transform_customers])
def test_what_was_mapped_after_the_extraction_is_not_taken_for_empty(
    scene: Scene, task: Any
) -> None:
    scene.sell(DIRECT, 2, billingProfile={"defaultAddress": {"addressLine2": "Floor 2"}})
    run = scene.stage(DIRECT)
    before = told(scene, run)
    message = "addressLine2.* was not read .* clear extract_customers"
    with pytest.raises(ConfigurationError, match=message):
        task(with_second_line(run), scene.engine)
    assert told(scene, run) == before


@on("sqlite")
def test_a_cleared_extraction_reads_again_what_was_mapped_since(scene: Scene) -> None:
    line = {"defaultAddress": {"addressLine2": "Floor 2"}}
    customers = scene.sell(DIRECT, 3, billingProfile=line)
    scene.strike("bss.accounts.create", FaultKind.READ_ONLY_FIELD, calls=(1,))
    scene.expect(customers, Outcome.CREATED, Outcome.FAILED)
    run = scene.load(scene.stage(DIRECT))
    scene.finish(run)
    scene.sandbox.faults.replace(())
    report = cleared_from_extract(scene, with_second_line(run))
    assert len(reads(scene)) == 1  # of customers that were loaded the load's word stands
    assert report.counts() == {"created": 3}
    addresses = [scene.account_of(DIRECT, one).values["billingAddress"] for one in customers]
    lines = [address.get("address2") for address in addresses]
    assert sorted(lines, key=str) == ["Floor 2", None, None]
    # Those that were read with the mapping of before are not told from blank ones by a later task either.
    assert transform_customers(with_second_line(run), scene.engine).accounts == 3
