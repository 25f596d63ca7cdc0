"""A file of decisions on both databases: tenants by domain, and nothing by halves."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from customer_import.config.instances import InstanceConfig
from customer_import.database.engine import reading
from customer_import.database.tables import import_results, import_runs, staged_customers
from customer_import.decisions.file import export_text, import_file
from customer_import.decisions.store import Changes, read_standing
from customer_import.errors import ConfigurationError
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

INSTANCES = {"default": InstanceConfig(title="Test", import_types=(ImportType.DIRECT,))}
T1, T2, T3 = (str(uuid.UUID(int=number)) for number in (1, 2, 3))


def add_run(engine: Engine, tenants: dict[str, str], *, is_staged: bool = True) -> None:
    now = datetime.now(UTC)
    own = {"import_type": "direct", "instance": "default"}
    with engine.begin() as connection:
        run = {"dag_id": "d", "airflow_run_id": str(uuid.uuid4()), "mode": "import"}
        added = insert(import_runs).values(
            **own, **run, state="success", params={}, started_at=now, listed=len(tenants)
        )
        key = connection.execute(added.returning(import_runs.c.id)).scalar_one()
        for position, (tenant, domain) in enumerate(tenants.items()):
            common = {"run_id": key, "tenant_id": tenant, "domain": domain}
            if is_staged:
                row = insert(staged_customers).values(**common, position=position, state="left")
            else:
                row = insert(import_results).values(
                    **common, **own, outcome="created", recorded_at=now
                )
            connection.execute(row)


def written(folder: Path, *tenants: str) -> Path:
    path = folder / "decisions.yaml"
    items = (
        f"  - {{instance: default, tenant: {one}, decision: exclude, reason: Ours}}\n"
        for one in tenants
    )
    path.write_text("version: 1\ndecisions:\n" + "".join(items))
    return path


def subjects(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [each.subject for each in read_standing(connection, "default")]


def test_a_domain_is_the_tenants_that_was_seen_with_it_last(engine: Engine, tmp_path: Path):
    add_run(engine, {T1: "Contoso.example", T2: "fabrikam.example"})
    add_run(engine, {T1: "renamed.example", T2: "contoso.example"})
    done = import_file(engine, written(tmp_path, "contoso.EXAMPLE"), INSTANCES, "ada")
    assert done.changes == Changes(made=1)
    assert done.unseen == ()
    assert subjects(engine) == [T2]
    with pytest.raises(ConfigurationError, match="no run has seen a tenant"):
        import_file(engine, written(tmp_path, "fabrikam.example"), INSTANCES, "ada")


def test_text_that_no_database_takes_is_cleaned(engine: Engine, tmp_path: Path):
    add_run(engine, {T1: "contoso.example"})
    path = written(tmp_path, '"conto\\0so.example"')
    words = path.read_text().replace("Ours", '"O\\0urs", by: "ad\\0a"')
    path.write_text(words)
    import_file(engine, path, INSTANCES, "me")
    with reading(engine) as connection:
        (one,) = read_standing(connection, "default")
    assert (one.subject, one.reason, one.by) == (T1, "Ours", "ada")


def test_a_tenant_that_only_an_old_result_names_is_found(engine: Engine, tmp_path: Path):
    add_run(engine, {T3: "old.example"}, is_staged=False)
    for _ in range(2):
        add_run(engine, {T1: "contoso.example"})
    import_file(engine, written(tmp_path, "old.example", "contoso.example"), INSTANCES, "ada")
    assert subjects(engine) == [T3, T1]


def test_a_domain_of_two_tenants_and_one_of_none_are_told_together(engine: Engine, tmp_path: Path):
    add_run(engine, {T1: "twins.example", T2: "twins.example", T3: "one.example"})
    path = written(tmp_path, "one.example", "twins.example", "none.example")
    with pytest.raises(ConfigurationError) as caught:
        import_file(engine, path, INSTANCES, "ada")
    said = str(caught.value)
    assert "decisions.1.tenant (line 4): twins.example is the primary domain of 2 tenants" in said
    assert "decisions.2.tenant (line 5): no run has seen" in said
    assert f"name one by its id: {T1}, {T2}" in said
    assert subjects(engine) == []


def test_what_is_exported_is_what_stands(engine: Engine, tmp_path: Path):
    import_file(engine, written(tmp_path, T1, T2), INSTANCES, "ada")
    exported = tmp_path / "exported.yaml"
    exported.write_text(export_text(engine, INSTANCES))
    done = import_file(engine, exported, INSTANCES, "bob")
    assert done.changes == Changes(same=2)
    assert done.unseen == (T1, T2)
