"""What ``customer-import setup`` makes, and what it leaves to a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Airflow, Call

MAINTENANCE = "maintain_customer_import"
IDS = (MAINTENANCE, "import_direct_customers__setup")
"""Other tests of the process have DAGs of the imports' own names in the same database."""


@pytest.fixture(autouse=True)
def dags(airflow_database: None) -> Iterator[None]:
    """Two DAGs as Airflow has seen them, the one for housekeeping paused."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.get(DagBundleModel, "setup") is None:
            session.add(DagBundleModel(name="setup"))
            session.flush()
        for dag_id in IDS:
            session.merge(
                DagModel(dag_id=dag_id, bundle_name="setup", is_paused=True, is_stale=False)
            )
    yield
    with create_session() as session:
        for dag_id in IDS:
            if (dag := session.get(DagModel, dag_id)) is not None:
                session.delete(dag)


def name_roles(airflow: Airflow, *roles: str) -> None:
    document = yaml.safe_load(airflow.instances.read_text())
    document["instances"]["sandbox"] |= {
        "schedules": {"direct": {"cron": "@daily"}},
        "roles": dict.fromkeys(roles, "see"),
    }
    airflow.instances.write_text(yaml.safe_dump(document))


def test_it_makes_the_tables_and_turns_housekeeping_on(call: Call, airflow: Airflow) -> None:
    said = call("setup")
    assert said.code == 0, said.out
    assert "database: " in said.out
    assert "has the newest tables" in said.out
    assert f"{MAINTENANCE}: was paused, and is on now" in said.out
    assert re.search(r"^ok     DAGs: .*import_direct_customers__setup", said.out, re.MULTILINE)
    assert "sandbox, Partner Center: connection " in said.out

    again = call("setup")
    assert f"{MAINTENANCE}: is on" in again.out


def test_a_dag_that_airflow_has_not_seen_is_said_with_its_place(
    call: Call, airflow: Airflow
) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.delete(session.get(DagModel, MAINTENANCE))
    said = call("setup")
    assert said.code == 0
    assert f"warn   {MAINTENANCE}: Airflow has not seen this DAG yet" in said.out


def test_what_is_wrong_is_named_and_the_rest_is_made(call: Call, airflow: Airflow) -> None:
    document = yaml.safe_load(airflow.instances.read_text())
    document["instances"]["broken"] = {"title": "Broken", "import_types": ["sideways"]}
    airflow.instances.write_text(yaml.safe_dump(document))
    airflow.monkeypatch.delenv(airflow.connection("bss"))

    said = call("setup")

    assert said.code == 1
    assert "WRONG  broken: " in said.out
    assert "warn   sandbox, BSS: connection " in said.out
    assert "does not exist" in said.out
    assert "has the newest tables" in said.out
    assert f"{MAINTENANCE}: was paused, and is on now" in said.out


def test_without_an_instances_file_its_place_is_named(call: Call, airflow: Airflow) -> None:
    airflow.instances.unlink()
    said = call("setup")
    assert said.code == 1
    assert f"WRONG  {airflow.instances}: " in said.out


def test_roles_that_are_missing_are_named_with_the_command_that_makes_them(
    call: Call, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow import settings
    from airflow.providers.fab.auth_manager.models import Role
    from airflow.utils.session import create_session

    assert "roles: " not in call("setup").out
    name_roles(airflow, "contoso staff")
    assert "warn   roles: instances name the roles contoso staff" in call("setup").out

    monkeypatch.setenv(
        "AIRFLOW__CORE__AUTH_MANAGER",
        "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    )
    assert settings.engine is not None
    Role.metadata.create_all(settings.engine)
    try:
        with create_session() as session:
            session.add_all(Role(name=name) for name in ("Import Viewer", "Import Starter"))
        said = call("setup").out
        assert (
            "warn   roles: not there yet: contoso staff. Hint: customer-import roles | airflow roles import /dev/stdin"
            in said
        )
        with create_session() as session:
            session.add(Role(name="contoso staff"))
        assert "ok     roles: Import Viewer, Import Starter, contoso staff\n" in call("setup").out
    finally:
        Role.metadata.drop_all(settings.engine)


@pytest.mark.parametrize(
    ("executor", "requeues", "is_said"),
    [
        ("CeleryExecutor", "2", True),
        ("CeleryExecutor", "1000", False),
        ("LocalExecutor", "2", False),
    ],
)
def test_loads_that_would_be_failed_while_they_wait_for_a_worker_are_said(
    call: Call, airflow: Airflow, executor: str, requeues: str, is_said: bool
) -> None:
    airflow.monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    airflow.monkeypatch.setenv("AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES", requeues)
    warning = "warn   queue: a load that waits 30 minutes for a worker is failed"
    assert (warning in call("setup").out) is is_said
