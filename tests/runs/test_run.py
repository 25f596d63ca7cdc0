"""A run's parameters are read or refused in words; a run begun again starts afresh and keeps its links."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import func, insert, select, update

from customer_import.database.tables import (
    import_results,
    import_runs,
    run_tasks,
    staged_customers,
    tenant_links,
)
from customer_import.errors import ConfigurationError
from customer_import.runs.parameters import RunParams
from customer_import.runs.reference_data import get_reference, put_reference
from customer_import.runs.run import earlier_runs, find_run, open_run, record_progress
from customer_import.runs.tasks import TaskAttempt, record_task
from customer_import.vocabulary import ImportType, Mode, OnExisting, ReferenceName
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

TENANT = "9f2b6f0e-6d1c-4f3a-9a52-0c3a1d5e7b11"


@pytest.mark.parametrize(
    "given",
    [
        [" Contoso.com", "FABRIKAM.com ", "", "contoso.com"],
        "Contoso.com\n\n fabrikam.com\r\n",
        "contoso.com, FABRIKAM.COM,contoso.com,",
    ],
)
def test_names_come_as_a_list_or_as_text_with_lines_or_commas(given: object):
    params = RunParams.parse({"instance": "default", "tenants": given})
    assert params.tenants == ("contoso.com", "fabrikam.com")


@pytest.mark.parametrize("blank", [None, [], "", " \n,"])
def test_no_names_mean_all(blank: object):
    params = RunParams.parse(
        {
            "instance": "default",
            "tenants": blank,
            "exclude_tenants": blank,
            "reseller_mpn_ids": blank,
        }
    )
    assert (params.tenants, params.exclude_tenants, params.reseller_mpn_ids) == ((), (), ())


def test_numbers_are_taken_as_mpn_ids():
    params = RunParams.parse({"instance": "default", "reseller_mpn_ids": [4847383]})
    assert params.reseller_mpn_ids == ("4847383",)


def test_only_the_instance_is_needed_and_blank_text_means_none():
    params = RunParams.parse({"instance": " default ", "permission_rule": "  "})
    assert params.instance == "default"
    assert (params.mode, params.on_existing) == (Mode.IMPORT, OnExisting.UPDATE)
    assert (params.permission_rule, params.max_rejected_percent) == (None, 20.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance", ""),
        ("instance", None),
        ("mode", "delete"),
        ("on_existing", "replace"),
        ("max_rejected_percent", 101),
        ("max_rejected_percent", -1),
        ("max_rejected_percent", "many"),
        ("tenants", 5),
        ("tenants", {"a": 1}),
        ("responsible_user", 7),
        ("scope_of_work", "x"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: object):
    with pytest.raises(ConfigurationError, match="trigger form") as caught:
        RunParams.parse({"instance": "default", name: value})
    assert caught.value.path == name
    assert name in str(caught.value)


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "instances.yaml"
    instance = {
        "title": "Test",
        "import_types": ["direct"],
        "bss": {"ordering_options": "standard"},
    }
    path.write_text(yaml.safe_dump({"version": 1, "instances": {"default": instance}}))
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    return path


def begin(engine: Engine, airflow_run_id: str = "manual__1", **params: Any) -> Run:
    return begin_run(
        engine,
        ImportType.DIRECT.dag_id,
        airflow_run_id,
        ImportType.DIRECT,
        RunParams.parse({"instance": "default", **params}),
        started_by="tests",
    )


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_an_opened_run_is_the_run_that_was_begun(engine: Engine, instances: Path):
    run = begin(engine, tenants=["contoso.com"], mode="preview")

    opened = open_run(engine, run.key)

    assert opened == run
    assert opened.params.tenants == ("contoso.com",)
    assert opened.is_preview
    assert opened.started_at.tzinfo is UTC
    assert opened.ordering_options == "standard"
    assert find_run(engine, run.dag_id, run.airflow_run_id) == run.key
    assert find_run(engine, run.dag_id, "manual__2") is None


def test_a_run_begun_again_starts_afresh_and_keeps_its_links(engine: Engine, instances: Path):
    run = begin(engine)
    now = datetime.now(UTC)
    key = {"run_id": run.key, "tenant_id": TENANT}
    own = {"import_type": "direct", "instance": "default"}
    with engine.begin() as connection:
        connection.execute(insert(staged_customers).values(**key, position=0, state="fetched"))
        connection.execute(
            insert(import_results).values(**key, **own, outcome="created", recorded_at=now)
        )
        connection.execute(
            insert(tenant_links).values(
                **own,
                tenant_id=TENANT,
                account_id=7,
                created_by_run=run.key,
                created_at=now,
                updated_at=now,
            )
        )
    put_reference(engine, run.key, ReferenceName.ORGANISATION, {"a": 1})
    record_progress(engine, run.key, extracted=1, listed=1, discovered=1)
    other = begin(engine, "manual__2")
    for each in (run, other):
        with record_task(engine, TaskAttempt(each.key, "extract_customers")):
            pass
    put_reference(engine, other.key, ReferenceName.ORGANISATION, {"b": 2})

    again = begin(engine, mode="preview")

    assert again.key == run.key
    assert again.is_preview
    assert count(engine, staged_customers) == count(engine, import_results) == 0
    assert count(engine, tenant_links) == count(engine, run_tasks) == 1
    assert get_reference(engine, run.key, ReferenceName.ORGANISATION) is None
    assert get_reference(engine, other.key, ReferenceName.ORGANISATION) == {"b": 2}
    with engine.connect() as connection:
        row = connection.execute(select(import_runs).where(import_runs.c.id == run.key)).one()
    assert (row.state, row.error, row.extracted, row.listed) == ("running", None, 0, None)


def test_a_run_that_does_not_exist_is_refused(engine: Engine, instances: Path):
    with pytest.raises(ConfigurationError, match="there is no run 4711"):
        open_run(engine, 4711)


def test_an_unknown_ordering_profile_is_refused_when_the_run_is_opened(
    engine: Engine, instances: Path
):
    with pytest.raises(ConfigurationError, match="nonesuch"):
        begin(engine, ordering_options="nonesuch")


def test_a_run_that_no_database_can_name_is_refused_in_words(engine: Engine, instances: Path):
    with pytest.raises(ConfigurationError, match="at previewed_run: this DAG has no such run"):
        begin(engine, previewed_run="an\0other")
    run = begin(engine, responsible_user="an\0na", tenants=["firma\0.example"])
    assert (run.params.responsible_user, run.params.tenants) == ("anna", ("firma.example",))


def test_names_are_read_without_what_nobody_sees():
    parsed = RunParams.parse(
        {"instance": "x", "tenants": "\ufeffFirma.example\u200b, \u200b ,nord\u200blicht.example"}
    )
    assert parsed.tenants == ("firma.example", "nordlicht.example")


def test_an_earlier_run_for_the_same_customers_goes_first(engine: Engine, instances: Path):
    def begin_in(dag_id: str, name: str, instance: str = "default") -> int:
        params = RunParams.parse({"instance": instance})
        return begin_run(engine, dag_id, name, ImportType.DIRECT, params, None).key

    own, general = f"{ImportType.DIRECT.dag_id}__default", ImportType.DIRECT.dag_id
    first = begin_in(own, "scheduled__1")
    second = begin_in(general, "manual__0")
    this = begin_in(general, "manual__1")
    begin_in(own, "scheduled__2")

    assert earlier_runs(engine, this) == [(own, "scheduled__1"), (general, "manual__0")]
    assert earlier_runs(engine, first) == []
    with engine.begin() as connection:
        ended = update(import_runs).where(import_runs.c.id.in_([first, second]))
        connection.execute(ended.values(ended_at=datetime.now(UTC)))
    assert earlier_runs(engine, this) == []


@pytest.mark.parametrize("name", ["tenants", "exclude_tenants", "reseller_mpn_ids"])
@pytest.mark.parametrize("blank", [[""], [" ", "\u200b"], ("\n",)])
def test_a_list_of_blank_names_is_not_taken_for_all(name: str, blank: object):
    with pytest.raises(ConfigurationError, match=f"at {name}: .*blank") as error:
        RunParams.parse({"instance": "x", name: blank})
    assert "leave the field empty" in str(error.value)


@pytest.mark.parametrize("odd", [[None], [True], [["a"]], [{"a": 1}]])
def test_a_name_that_is_no_text_is_refused(odd: object):
    with pytest.raises(ConfigurationError, match="at tenants"):
        RunParams.parse({"instance": "x", "tenants": odd})
