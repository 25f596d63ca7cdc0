"""What tasks tell Airflow's lineage collector, in OpenLineage's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk.definitions.asset import Asset
from airflow.sdk.lineage import HookLineageCollector, NoOpCollector
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from customer_import.lineage import SCHEME, DataSet, as_openlineage
from customer_import.pipeline import lineage
from customer_import.pipeline.lineage import tell_lineage
from customer_import.runs.parameters import RunParams
from customer_import.vocabulary import ImportType, TaskId
from sandbox import SandboxConfig, SandboxServer
from tests.support.library_run import sandbox_environment
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from sandbox.info import SandboxInfo

Told = tuple[list[DataSet], list[DataSet]]


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxInfo]:
    with SandboxServer(SandboxConfig(customers=0)) as server:
        for name, value in sandbox_environment(server.info, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server.info


def begin(engine: Engine, mode: str = "import") -> Run:
    params = RunParams.parse({"instance": "sandbox", "mode": mode})
    return begin_run(engine, "dag", f"run {mode}", ImportType.DIRECT, params, started_by=None)


def told(task_id: TaskId, run: Run, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Told:
    collector = HookLineageCollector()
    monkeypatch.setattr(lineage, "get_hook_lineage_collector", lambda: collector)
    tell_lineage(task_id, run, engine)
    found = collector.collected_assets
    return (
        [DataSet(**cast("Any", one.asset.extra)) for one in found.inputs],
        [DataSet(**cast("Any", one.asset.extra)) for one in found.outputs],
    )


def test_data_flows_from_partner_center_by_the_staging_tables_to_the_bss(
    engine: Engine, services: SandboxInfo, monkeypatch: pytest.MonkeyPatch
):
    run = begin(engine)
    flow = {one: told(one, run, engine, monkeypatch) for one in TaskId}
    read, staged = flow[TaskId.EXTRACT_CUSTOMERS]
    assert read[0] == DataSet(services.partner_center_url, "/v1/customers")
    assert read[1].name == "/v1/customers/{id}/subscriptions"
    (customers,) = staged
    assert customers.name.endswith("staged_customers")
    assert flow[TaskId.TRANSFORM_CUSTOMERS][0] == staged
    assert flow[TaskId.LOAD_CUSTOMERS][0] == flow[TaskId.TRANSFORM_CUSTOMERS][1]
    written = flow[TaskId.LOAD_CUSTOMERS][1]
    assert written[:2] == [
        DataSet(services.bss_url, "/api/accounts"),
        DataSet(services.bss_url, "/api/contacts"),
    ]
    assert flow[TaskId.START_RUN] == flow[TaskId.FINISH_RUN] == ([], [])
    if engine.dialect.name == "sqlite":
        assert customers == DataSet(f"sqlite://{engine.url.database}", "staged_customers")
    else:
        assert customers.namespace.startswith("postgres://")
        assert customers.name == f"{engine.url.database}.public.staged_customers"


def test_a_preview_writes_nothing_to_the_bss(
    sqlite_engine: Engine, services: SandboxInfo, monkeypatch: pytest.MonkeyPatch
):
    preview = begin(sqlite_engine, "preview")
    _, outputs = told(TaskId.LOAD_CUSTOMERS, preview, sqlite_engine, monkeypatch)
    assert [one.name for one in outputs] == ["tenant_links", "import_results"]


def test_when_nobody_listens_not_even_a_connection_is_read(
    sqlite_engine: Engine, services: SandboxInfo, monkeypatch: pytest.MonkeyPatch
):
    run = begin(sqlite_engine)
    monkeypatch.setattr(lineage, "_data_sets", lambda *_: pytest.fail("nobody listens"))
    monkeypatch.setattr(lineage, "get_hook_lineage_collector", NoOpCollector)
    tell_lineage(TaskId.EXTRACT_CUSTOMERS, run, sqlite_engine)


def test_airflow_knows_what_the_assets_are_to_openlineage():
    converters = ProvidersManagerTaskRuntime().asset_to_openlineage_converters
    assert converters[SCHEME] is as_openlineage
    data_set = DataSet("postgres://db.example:5432", "imports.public.staged customers")
    asset = Asset(uri=data_set.uri, extra=cast("Any", data_set._asdict()))
    assert asset.normalized_uri == data_set.uri
    with pytest.MonkeyPatch.context() as patch:
        # OpenLineage is not installed with the tests; its class takes these two.
        patch.setattr("airflow.providers.common.compat.openlineage.facet.Dataset", DataSet)
        assert as_openlineage(asset, None) == data_set
