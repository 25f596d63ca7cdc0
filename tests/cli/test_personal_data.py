"""What is kept about a customer is told and erased on request; links and decisions stay, without a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from customer_import.cli.main import app
from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.database.tables import (
    import_results,
    import_runs,
    metadata,
    staged_customers,
    tenant_links,
)
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide, read_standing
from customer_import.runs.personal_data import find_tenants
from customer_import.vocabulary import DecisionKind, ImportType
from sandbox import SandboxConfig, SandboxServer
from tests.support.library_run import run_import, sandbox_environment

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.cli.conftest import Call


TABLES = {
    "known_tenants",
    "import_results",
    "staged_accounts",
    "staged_contacts",
    "staged_customers",
}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An import's database after two runs, one of them for a customer by name."""
    path = tmp_path / "import.db"
    with SandboxServer(SandboxConfig(customers=40)) as server:
        for name, value in sandbox_environment(server.info, tmp_path).items():
            monkeypatch.setenv(name, value)
        connection = json.dumps({"conn_type": "sqlite", "host": str(path)})
        monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", connection)
        engine = open_engine(f"sqlite:///{path}")
        migrate(engine)
        run_import(engine, ImportType.DIRECT)
        run_import(engine, ImportType.DIRECT, tenants=[chosen(engine).domain])
    engine.dispose()
    return path


def chosen(engine: Engine) -> Any:
    """Return the row of a customer that was created."""
    created = select(staged_customers).join(
        import_results,
        (import_results.c.run_id == staged_customers.c.run_id)
        & (import_results.c.tenant_id == staged_customers.c.tenant_id),
    )
    query = created.where(import_results.c.outcome == "created").order_by(
        staged_customers.c.position
    )
    with engine.connect() as connection:
        return connection.execute(query.limit(1)).one()


def values_of(customer: Any) -> set[str]:
    """Return what names one customer and nobody else: company, domains, e-mail addresses."""
    texts = {customer.tenant_name, customer.domain, *json.loads(customer.source).values()}
    return {
        text
        for text in texts
        if isinstance(text, str)
        and (customer.tenant_name in text or "@" in text or customer.domain in text)
    }


def rows_with(engine: Engine, texts: set[str]) -> dict[str, int]:
    """Search every row of every table."""
    found: dict[str, int] = {}
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                said = " ".join(
                    value.decode()
                    if isinstance(value, bytes) and table.name != "rate_windows"
                    else str(value)
                    for value in row
                )
                if any(text in said for text in texts):
                    found[table.name] = found.get(table.name, 0) + 1
    return found


def test_nothing_personal_is_left_and_the_import_still_knows_the_customer(
    database: Path, call: Call
):
    engine = open_engine(f"sqlite:///{database}")
    customer = chosen(engine)
    texts = values_of(customer)
    excluded = Proposal(
        instance="sandbox",
        subject=customer.tenant_id,
        kind=DecisionKind.EXCLUDE,
        reason="asked for",
    )
    decide(engine, [excluded], Author("tests"))
    assert rows_with(engine, texts).keys() >= TABLES
    with engine.connect() as connection:
        links = connection.execute(select(tenant_links)).all()

    said = call("personal-data", "erase", customer.domain)

    assert said.code == 0
    assert "staged_contacts 2" in said.out
    assert "in Airflow task logs" in said.err
    assert rows_with(engine, texts) == {}
    with engine.connect() as connection:
        assert connection.execute(select(tenant_links)).all() == links
        params = connection.execute(select(import_runs.c.params).order_by(import_runs.c.id))
        assert [each["tenants"] for each in params.scalars()] == [[], [customer.tenant_id]]
        outcomes = connection.execute(
            select(import_results.c.outcome).where(import_results.c.tenant_id == customer.tenant_id)
        )
        assert set(outcomes.scalars()) == {"created", "unchanged"}
        standing = read_standing(connection, "sandbox")
        assert [each.kind for each in standing] == [DecisionKind.EXCLUDE]
    engine.dispose()
    content = b"".join(path.read_bytes() for path in database.parent.glob("import.db*"))
    assert [text for text in texts if text.encode() in content] == []
    assert call("personal-data", "erase", customer.tenant_id).out.endswith("there was nothing\n")


def test_everything_about_a_customer_is_told_by_table(database: Path):
    engine = open_engine(f"sqlite:///{database}")
    customer = chosen(engine)

    result = CliRunner().invoke(
        app, ["personal-data", "export", f"\u200b{customer.domain.upper()}\u2060"]
    )

    told = json.loads(result.stdout)
    assert told.keys() >= TABLES
    assert {row["tenant_id"] for name in TABLES for row in told[name]} == {customer.tenant_id}
    assert told["staged_customers"][0]["source"] == json.loads(customer.source)
    assert len(told["import_results"]) == 2
    assert len(told["tenant_links"]) == 1


def test_a_customer_of_an_instance_that_is_no_more_configured_is_found_by_domain(
    database: Path, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    domain = chosen(open_engine(f"sqlite:///{database}")).domain
    path = tmp_path / "others.yaml"
    path.write_text("version: 1\ninstances: {other: {title: Other, import_types: [direct]}}\n")
    monkeypatch.setenv(INSTANCES_VARIABLE, str(path))
    assert "staged_contacts 2" in call("personal-data", "erase", domain).out


def test_a_customer_is_found_by_the_domain_that_it_had(database: Path, call: Call):
    engine = open_engine(f"sqlite:///{database}")
    domain = chosen(engine).domain
    newest = select(func.max(import_runs.c.id)).scalar_subquery()
    with engine.begin() as connection:
        for table in (staged_customers, import_results):
            moved = update(table).where(table.c.run_id == newest, table.c.domain == domain)
            assert connection.execute(moved.values(domain="moved.example")).rowcount == 1
        assert find_tenants(connection, "moved.example") == find_tenants(connection, domain)
    assert "staged_contacts 2" in call("personal-data", "erase", domain).out


@pytest.mark.parametrize("command", ["export", "erase"])
def test_who_is_not_known_is_said(database: Path, call: Call, command: str):
    said = call("personal-data", command, "nobody.example")
    assert said.code == 1
    assert "no run has seen a tenant with this domain. Hint: give the tenant id" in said.err


def test_every_column_with_a_name_or_a_body_is_marked():
    named = {"tenant_name", "domain", "source", "body", "payload", "bss_before", "domain_prefix"}
    unmarked = [
        str(column)
        for table in metadata.sorted_tables
        for column in table.c
        if "tenant_id" in table.c and column.name in named and not column.info.get("is_personal")
    ]
    assert unmarked == []
