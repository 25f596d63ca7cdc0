"""Instances with a schedule have DAGs of their own; one that is wrong takes nobody else's away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from customer_import.config.instances import load_instance
from customer_import.errors import ConfigurationError
from customer_import.pipeline import build_scheduled_dags
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

NORTH = """
  north:
    title: North
    import_types: [direct, indirect]
    schedules:
      direct: {cron: "30 4 * * 1-5", timezone: Europe/Athens}
      indirect: {cron: "@daily", scope: verify, mode: preview, require_approval: true}
"""
SOUTH = """
  south:
    title: South's customers
    import_types: [tenant_reseller]
    reseller_mpn_id: "4847383"
    schedules:
      tenant_reseller: {cron: "@weekly"}
    roles: {south staff: start, auditors: see}
"""
WEST = """
  west: {title: West, import_types: [direct]}
"""


def build(path: Path, *instances: str) -> dict[str, DAG]:
    path.write_text("version: 1\ninstances:" + "".join(instances))
    return {dag.dag_id: dag for dag in build_scheduled_dags()}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "instances.yaml"
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    return path


def timetable(dag: DAG) -> tuple[str, str]:
    schedule: Any = dag.schedule
    return schedule.expression, str(schedule.timezone)


def test_each_schedule_is_a_dag_of_its_instance_alone(path: Path):
    dags = build(path, NORTH, SOUTH, WEST)
    assert sorted(dags) == [
        "import_direct_customers__north",
        "import_indirect_customers__north",
        "import_tenant_reseller_customers__south",
    ]
    direct, indirect, south = (dags[name] for name in sorted(dags))
    assert timetable(direct) == ("30 4 * * 1-5", "Europe/Athens")
    assert timetable(indirect) == ("0 0 * * *", "UTC")
    assert [dag.params["instance"] for dag in (direct, south)] == ["north", "south"]
    assert direct.params.get_param("instance").schema["enum"] == ["north"]
    assert (direct.params["mode"], direct.params["scope"]) == ("import", "changed")
    assert (indirect.params["mode"], indirect.params["scope"]) == ("preview", "verify")
    assert [dag.params["require_approval"] for dag in (direct, indirect)] == [False, True]
    assert south.dag_display_name == "Import tenant reseller customers: South's customers"
    assert {"north", "customer-import"} <= set(direct.tags)
    for dag in dags.values():
        assert (dag.max_active_runs, dag.catchup, dag.is_paused_upon_creation) == (1, False, False)


def test_roles_may_see_or_start_the_dags_of_their_instance(path: Path):
    dags = build(path, NORTH, SOUTH)
    assert dags["import_direct_customers__north"].access_control is None
    assert dags["import_tenant_reseller_customers__south"].access_control == {
        "south staff": {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}},
        "auditors": {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}},
    }


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('direct: {cron: "4 o\'clock"}', "is no time of a schedule"),
        ('direct: {cron: "* * * * * *"}', "is no time of a schedule"),
        ("direct: {cron: '@dayly'}", "did you mean @daily?"),
        ("direct: {cron: '@daily', timezone: Europe/Athen}", "did you mean Europe/Athens?"),
        ("direct: {cron: '@daily', timezone: ../zone}", "there is no time zone"),
        ("tenant_reseller: {cron: '@daily'}", "which the instance does not take"),
        ("direct: {cron: '@daily', mode: destroy}", "mode"),
        ("directly: {cron: '@daily'}", "directly"),
    ],
)
def test_a_wrong_schedule_is_said_on_its_own_dag_and_leaves_the_others(
    path: Path, wrong: str, words: str
):
    broken = f"\n  broken:\n    title: Broken\n    import_types: [direct]\n    schedules:\n      {wrong}\n"
    dags = build(path, NORTH, broken, SOUTH)
    assert len(dags) == 4
    dag = dags["import_direct_customers__broken"]
    assert dag.schedule is None
    assert "wrong configuration" in dag.tags
    assert words in (dag.doc_md or "")
    with pytest.raises(ConfigurationError, match="broken") as error:
        load_instance("broken", ImportType.DIRECT)
    assert words in str(error.value)
    assert load_instance("north", ImportType.DIRECT).title == "North"


@pytest.mark.parametrize(
    "import_types", ["direct", "[direkt]", "", "[]", "{direct: yes}", "[[direct]]"]
)
@pytest.mark.parametrize("others", [(), (SOUTH,)])
def test_wrong_import_types_do_not_take_the_dag_of_a_schedule_away_in_silence(
    path: Path, import_types: str, others: tuple[str, ...]
):
    wrong = NORTH.replace("import_types: [direct, indirect]", f"import_types: {import_types}")
    dags = build(path, wrong, *others)
    own = {"import_direct_customers__north", "import_indirect_customers__north"}
    assert own <= set(dags)
    assert len(dags) == len(own) + len(others)
    assert all("import_types" in (dags[name].doc_md or "") for name in own)


@pytest.mark.parametrize(
    ("name", "part"), [("the north", "the_north"), ("n" * 101, "n" * 100), ("é" * 101, "_" * 100)]
)
def test_a_name_that_no_dag_id_can_hold_is_told(path: Path, name: str, part: str):
    dags = build(path, NORTH.replace("  north:", f"  {name}:"), SOUTH)
    with pytest.raises(ConfigurationError, match="cannot be part of a DAG's id"):
        load_instance(name)
    assert set(dags) == {
        f"import_direct_customers__{part}",
        f"import_indirect_customers__{part}",
        "import_tenant_reseller_customers__south",
    }


def test_a_file_that_is_wrong_as_a_whole_is_told(path: Path):
    with pytest.raises(ConfigurationError, match="stands twice"):
        build(path, NORTH, NORTH)
    with pytest.raises(ConfigurationError, match="wrong indentation"):
        build(path, WEST, "\n a: [")
    assert build(path, WEST) == {}
    path.unlink()
    assert build_scheduled_dags() == []


def test_an_instance_that_is_wrong_takes_no_dag_and_no_name_that_is_not_its_own(path: Path):
    spoilt = NORTH.replace("  north:", "  the north:").replace("title: North", "title: Spoilt")
    unscheduled = "\n  west: {title: West, import_types: [direct], load_batch_size: none}\n"
    dags = build(path, NORTH.replace("  north:", "  the_north:"), spoilt, unscheduled)
    assert sorted(dags) == [
        "import_direct_customers__the_north",
        "import_indirect_customers__the_north",
    ]
    assert dags["import_direct_customers__the_north"].schedule is not None
