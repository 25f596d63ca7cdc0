"""Decisions in and out of the database, as a person calls it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from sqlalchemy import insert

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.database.engine import open_engine, reading
from customer_import.database.migrate import migrate
from customer_import.database.tables import import_runs, staged_customers
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide, read_history, read_standing
from customer_import.vocabulary import DecisionKind

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.cli.conftest import Call

CONTOSO, FABRIKAM, TWIN = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
FILE = f"""\
version: 1
decisions:
  - instance: default
    tenant: Contoso.example
    decision: exclude
    reason: Our own test tenant
    until: 2099-12-31
  - instance: default
    tenant: {FABRIKAM}
    decision: link
    account: 4711
  - instance: default
    tenant: {FABRIKAM}
    decision: reseller
    mpn_id: "4000001"
    reseller_name: Alpha Cloud
  - instance: default
    decision: empty
    import_type: indirect
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    instances = tmp_path / "instances.yaml"
    one = {"title": "Test", "import_types": ["direct", "indirect"]}
    content = {"version": 1, "instances": {"default": one, "other": one}}
    instances.write_text(yaml.safe_dump(content))
    monkeypatch.setenv(INSTANCES_VARIABLE, str(instances))
    use(monkeypatch, tmp_path / "first.db")
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, database: Path) -> Engine:
    connection = orjson.dumps({"conn_type": "sqlite", "host": str(database)}).decode()
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", connection)
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    return engine


@pytest.fixture
def engine(home: Path) -> Engine:
    """A database in which a run has listed three tenants, two of which have one domain."""
    engine = open_engine(f"sqlite:///{home / 'first.db'}")
    names = {
        CONTOSO: "contoso.example",
        FABRIKAM: "twins.example",
        TWIN: "twins.example",
    }
    list_tenants(engine, names)
    return engine


def list_tenants(engine: Engine, names: dict[str, str]) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        run: dict[str, Any] = {
            "dag_id": "d",
            "airflow_run_id": str(uuid.uuid4()),
            "import_type": "direct",
        }
        run |= {"instance": "default", "mode": "discover", "state": "success", "params": {}}
        added = insert(import_runs).values(**run, started_at=now, listed=len(names))
        key = connection.execute(added.returning(import_runs.c.id)).scalar_one()
        rows = [
            {"run_id": key, "tenant_id": tenant, "position": n, "domain": domain, "state": "left"}
            for n, (tenant, domain) in enumerate(names.items())
        ]
        connection.execute(insert(staged_customers), rows)


def written(home: Path, text: str) -> str:
    path = home / "decisions.yaml"
    path.write_text(text)
    return str(path)


def standing(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        found = [vars(each) for each in read_standing(connection, "default")]
    return [{name: value for name, value in each.items() if name != "id"} for each in found]


def test_a_file_is_taken_by_domain_and_by_id_and_once_is_enough(
    home: Path, engine: Engine, call: Call
):
    path = written(home, FILE)
    said = call("decisions", "import", path, "--by", "ada")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("4 decided, 0 stood already")
    assert {(each["subject"], each["kind"].value) for each in standing(engine)} == {
        (CONTOSO, "exclude"),
        (FABRIKAM, "link"),
        (FABRIKAM, "reseller"),
        ("indirect", "empty"),
    }
    said = call("decisions", "import", path, "--by", "bob")
    assert said.out.startswith("0 decided, 4 stood already, 0 revoked")
    with reading(engine) as connection:
        assert [each.by for each in read_history(connection, "default", CONTOSO)] == ["ada"]


def test_what_is_exported_gives_equal_decisions_elsewhere(
    home: Path, engine: Engine, call: Call, monkeypatch: pytest.MonkeyPatch
):
    call("decisions", "import", written(home, FILE), "--by", "ada")
    before = standing(engine)
    exported = home / "exported.yaml"
    assert call("decisions", "export", str(exported)).code == 0
    assert call("decisions", "export").out == exported.read_text()

    empty = use(monkeypatch, home / "second.db")
    said = call("decisions", "import", str(exported), "--by", "bob")

    assert "No run has seen 2 of the tenants" in said.err
    assert CONTOSO in said.err
    assert standing(empty) == before
    assert call("decisions", "export").out == exported.read_text()


def test_what_stands_is_listed(home: Path, engine: Engine, call: Call):
    said = call("decisions", "list")
    assert (said.code, said.out, said.err) == (0, "", "No decision stands.\n")
    call("decisions", "import", written(home, FILE), "--by", "ada")
    out = call("decisions", "list", "--instance", "default").out
    assert f"default  {CONTOSO}  is excluded; ada decided so on " in out
    records = call("decisions", "list", "--json").records
    assert {each["kind"] for each in records} == {"exclude", "link", "reseller", "empty"}
    assert call("decisions", "list", "--instance", "defalt").err.endswith(
        "did you mean 'default'?\n"
    )


def item(**keys: object) -> str:
    one = {"instance": "default", "tenant": CONTOSO} | keys
    one = {name: value for name, value in one.items() if value is not None}
    return yaml.safe_dump({"version": 1, "decisions": [one]}, sort_keys=False)


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        (item(decision="exclud", reason="x"), "decisions.0.decision (line 5)", "did you mean"),
        (item(decision="exclude", raeson="x"), "'raeson' is not known", "did you mean 'reason'?"),
        (item(decision="exclude"), "needs the key 'reason'", "add the key"),
        (item(decision="create", tenant=None), "the key 'tenant' is missing", "add a primary"),
        (item(decision="create", instance="defalt"), "instance (line 3)", "did you mean 'default'"),
        (item(decision="create", tenant="twins.example"), "tenant (line 4)", TWIN),
        (item(decision="create", tenant="nobody.example"), "no run has seen", "by its id"),
        (item(decision="reseller", mpn_id=4000001), "mpn_id (line 6)", "put it in quotes"),
        (
            item(decision="empty", tenant=None, import_type="tenant_reseller"),
            "does not take tenant_reseller",
            "choose one of",
        ),
        (item(decision="create", at=datetime(2099, 1, 1, tzinfo=UTC)), "lies ahead", "correct it"),
        ("", "the file is empty", "it must hold the keys version, decisions"),
        ("version: 1\ndecisions: [", "line", "look for a quote"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    home: Path, engine: Engine, call: Call, text: str, where: str, hint: str
):
    said = call("decisions", "import", written(home, text))
    assert said.code == 1
    assert "decisions.yaml" in said.err
    assert where in said.err
    assert hint in said.err
    assert standing(engine) == []


def test_a_contradiction_is_told_with_its_line_and_nothing_is_decided(
    home: Path, engine: Engine, call: Call
):
    text = FILE + f"  - {{instance: default, tenant: {CONTOSO}, decision: create}}\n"
    said = call("decisions", "import", written(home, text))
    assert said.code == 1
    assert "decisions.yaml at decisions.4 (line 20)" in said.err
    assert "is excluded, as another of these decisions says" in said.err
    assert standing(engine) == []

    call("decisions", "import", written(home, FILE), "--by", "ada")
    said = call("decisions", "import", written(home, item(decision="link", account=5)))
    assert "is excluded, as ada decided on" in said.err
    assert "Hint: revoke that one first" in said.err


def test_a_path_that_leads_nowhere_is_told(home: Path, engine: Engine, call: Call):
    said = call("decisions", "import", str(home / "nowhere.yaml"), "--by", "ada")
    words = "nowhere.yaml: the file cannot be read (No such file or directory). Hint: correct the path\n"
    assert (said.code, said.err) == (1, f"{home}/{words}")
    for path, why in ((home, "Is a directory"), (home / "no" / "x.yaml", "No such file")):
        said = call("decisions", "export", str(path))
        assert said.code == 1
        assert said.err.startswith(f"{path}: cannot be used ({why}")


def test_who_decides_is_asked_for_where_the_account_has_no_name(
    home: Path, engine: Engine, call: Call, monkeypatch: pytest.MonkeyPatch
):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # as in a container of any user
    (home / "decisions.yaml").write_text("version: 1\ndecisions: []\n")
    said = call("decisions", "import", str(home / "decisions.yaml"))
    assert (said.code, said.out) == (1, "")
    assert "--by" in said.err
    assert call("decisions", "import", str(home / "decisions.yaml"), "--by", "ada").code == 0


def test_a_terminal_that_is_not_utf_8_is_told_and_a_program_has_utf_8(home: Path, engine: Engine):
    wish = Proposal(
        instance="default", subject=CONTOSO, kind=DecisionKind.EXCLUDE, reason="Łódź asked for it"
    )
    decide(engine, [wish], Author("ada"))

    def run(*arguments: str, stdout: int) -> None:
        subprocess.run(
            [sys.executable, "-m", "customer_import.cli", "decisions", *arguments],
            env=os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": "plugins:."},
            stdout=stdout,
            check=True,
        )

    ours, theirs = pty.openpty()
    run("list", stdout=theirs)
    os.close(theirs)
    assert "\\u0141\xf3d\\u017a asked for it".encode("latin-1") in os.read(ours, 10_000)
    os.close(ours)
    with (home / "out").open("wb") as out:
        run("export", stdout=out.fileno())
    assert "Łódź asked for it" in (home / "out").read_text(encoding="utf-8")


def test_a_domain_is_the_tenants_that_had_it_last(home: Path, engine: Engine, call: Call):
    list_tenants(engine, {CONTOSO: "renamed.example", TWIN: "contoso.example"})
    call("decisions", "import", written(home, item(decision="create", tenant="contoso.example")))
    assert [each["subject"] for each in standing(engine)] == [TWIN]


def test_a_file_can_be_all_there_is(home: Path, engine: Engine, call: Call):
    call("decisions", "import", written(home, FILE))
    path = written(home, item(decision="exclude", reason="Our own test tenant"))
    said = call("decisions", "import", path, "--revoke-others")
    assert said.out.startswith("1 decided, 0 stood already, 3 revoked")
    said = call(
        "decisions", "import", written(home, "version: 1\ndecisions: []\n"), "--revoke-others"
    )
    assert said.out.startswith("0 decided, 0 stood already, 1 revoked")
    assert standing(engine) == []


def test_fifty_thousand_decisions_are_imported_in_seconds(home: Path, engine: Engine, call: Call):
    ids = [str(uuid.UUID(int=number)) for number in range(10, 50_010)]
    rows = "".join(
        f"  - instance: default\n    tenant: {one}\n    decision: exclude\n    reason: Test {n}\n"
        for n, one in enumerate(ids)
    )
    path = written(home, f"version: 1\ndecisions:\n{rows}")
    began = time.process_time()  # a busy machine takes longer
    said = call("decisions", "import", path)
    seconds = time.process_time() - began
    assert said.out.startswith("50000 decided")
    assert "50000 of the tenants" in said.err
    assert seconds < 30, seconds
    began = time.process_time()
    assert call("decisions", "import", path).out.startswith("0 decided, 50000 stood already")
    assert time.process_time() - began < 30
