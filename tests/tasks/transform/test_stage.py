from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from customer_import.database.tables import (
    import_results,
    import_runs,
    staged_accounts,
    staged_contacts,
)
from customer_import.errors import ConfigurationError
from customer_import.runs.parameters import RunParams
from customer_import.tasks.transform.transform import transform_customers
from customer_import.vocabulary import ImportType, TaskId
from tests.support.runs import begin_run
from tests.tasks.validate.runs import customer, stage_run, tenant


def staged(engine, table=staged_accounts):
    with engine.connect() as connection:
        return connection.execute(select(table).order_by(table.c.tenant_id)).all()


def record(engine, run, number, task_id):
    row = {
        "run_id": run.key,
        "tenant_id": tenant(number),
        "import_type": "direct",
        "instance": "default",
        "outcome": "rejected",
        "task_id": task_id,
        "recorded_at": datetime.now(UTC),
    }
    with engine.begin() as connection:
        connection.execute(insert(import_results), [row])


def with_batch_size(run, size, most=32):
    from dataclasses import replace

    update = {"load_batch_size": size, "max_load_batches": most}
    return replace(run, instance=run.instance.model_copy(update=update))


def test_every_valid_customer_is_staged_once_with_its_contact(engine):
    customers = [
        customer(0),
        customer(1),
        customer(2, outcome="ambiguous"),
        customer(3, is_discovered=False),
        customer(4, state="failed"),
    ]
    run = stage_run(engine, customers)
    record(engine, run, 1, TaskId.VALIDATE_CUSTOMERS)
    summary = transform_customers(run, engine)
    assert summary.accounts == 1
    assert [row.tenant_id for row in staged(engine)] == [tenant(0)]
    assert [row.tenant_id for row in staged(engine, staged_contacts)] == [tenant(0)]


def test_batches_are_contiguous_by_position_across_chunks(engine):
    run = with_batch_size(stage_run(engine, [customer(number) for number in range(11)]), 3)
    summary = transform_customers(run, engine, chunk_size=4)
    assert (summary.batches, summary.batch_size) == (4, 3)
    assert [row.batch for row in staged(engine)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
    with engine.connect() as connection:
        assert connection.execute(select(import_runs.c.batches)).scalar_one() == 4


def test_larger_runs_have_larger_batches_not_more(engine):
    run = with_batch_size(stage_run(engine, [customer(number) for number in range(11)]), 2, most=3)
    assert transform_customers(run, engine).batches == 3


@pytest.mark.parametrize(
    ("executor", "customers", "most", "batches", "size"),
    [
        ("CeleryExecutor", 200, 16, 1, 200),
        ("CeleryExecutor", 201, 16, 5, 50),
        ("CeleryExecutor", 201, 4, 4, 51),
        ("LocalExecutor", 501, 16, 2, 500),
    ],
)
def test_a_small_run_is_one_batch_and_a_larger_one_has_some_for_each_of_several_workers(
    engine, monkeypatch, executor, customers, most, batches, size
):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    staging = stage_run(engine, [customer(number) for number in range(customers)])
    summary = transform_customers(with_batch_size(staging, None, most), engine)
    assert (summary.batches, summary.batch_size) == (batches, size)


def test_customers_with_equal_positions_are_not_lost_between_chunks(engine):
    run = stage_run(engine, [customer(number, position=7) for number in range(9)])
    assert transform_customers(run, engine, chunk_size=2).accounts == 9
    assert len(staged(engine)) == 9


def test_repeating_the_stage_replaces_what_it_staged(engine):
    run = stage_run(engine, [customer(number) for number in range(5)])
    transform_customers(run, engine, chunk_size=2)
    first = staged(engine)
    record(
        engine, run, 0, "load_customers"
    )  # a result of the load does not make a customer invalid
    transform_customers(run, engine, chunk_size=3)
    assert staged(engine) == first


def test_a_run_without_customers_has_no_batches(engine):
    assert transform_customers(stage_run(engine, []), engine).batches == 0


def test_a_run_without_organisation_says_what_to_do(engine):
    run = begin_run(engine, "d", "r", ImportType.DIRECT, RunParams(instance="default"), None)
    with pytest.raises(ConfigurationError, match="from its first task"):
        transform_customers(run, engine)


def test_customers_are_staged_in_the_order_of_their_ids_however_they_were_listed(engine):
    listed = [customer(number, position=10 - number) for number in (3, 0, 2, 1)]
    run = with_batch_size(stage_run(engine, listed), 2)
    transform_customers(run, engine, chunk_size=3)
    assert [(row.tenant_id, row.batch) for row in staged(engine)] == [
        (tenant(0), 0),
        (tenant(1), 0),
        (tenant(2), 1),
        (tenant(3), 1),
    ]
