"""Our own stages as subjects."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from sqlalchemy import select

from customer_import.bss.hook import BssHook
from customer_import.config.instances import load_instance
from customer_import.config.paths import instances_path
from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.runs.parameters import RunParams
from customer_import.runs.run import Run, open_run
from customer_import.tasks.extract.extract import extract_customers
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from customer_import.tasks.start import prepare_run
from customer_import.vocabulary import ImportType, ReferenceName
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.benchmarks.client import measured
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT
ONE_BATCH = 10_000
"""Customers a load task: its start-up, which tasks have at the same time, is not measured over and over."""


def extract(
    folder: str, concurrency: int, requests_per_minute: int = 10_000_000, window_s: float = 60.0
) -> dict[str, Any]:
    """List, read, parse, hash and stage every customer in SQLite."""
    configure(concurrency, requests_per_minute, window_s)
    engine = _new_engine(folder)
    run = _begin(engine)
    hook().prepare()  # as for the bare loop: what Airflow imports for a connection is start-up
    figures: dict[str, Any] = {}
    with measured(figures):
        summary = extract_customers(run, engine, hook())
    return figures | {"requests": summary.requests, "customers": summary.listed}


def stage(folder: str, database: str) -> dict[str, Any]:
    """Everything before the load, for ``load`` and ``bodies``; not measured. The load may be into another sandbox."""
    from customer_import.tasks.transform.transform import transform_customers
    from customer_import.tasks.validate.validate import validate_customers

    configure(32)
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    run = _begin(engine, accept_organisation=True)
    prepare_run(run, engine, hook())
    extract_customers(run, engine, hook())
    validate_customers(run, engine)
    transform_customers(run, engine)
    list_accounts(run, engine)
    engine.dispose()  # SQLite's log is written back: the file is copied
    return {"run": run.key}


def load(folder: str, database: str, run: int, concurrency: int) -> dict[str, Any]:
    """Load a staged run into an empty BSS."""
    configure(concurrency)
    copy = Path(tempfile.mkdtemp(dir=folder)) / "load.db"
    shutil.copy(database, copy)
    engine = open_engine(f"sqlite:///{copy}")
    opened = open_run(engine, run)
    BssHook(opened.instance.bss.conn_id).session(opened.instance.bss)  # start-up, as in ``extract``
    figures: dict[str, Any] = {"requests": 0, "created": 0}
    with measured(figures):
        for batch in range(_batches(engine, run)):
            summary = load_batch(opened, engine, batch, attempt=1, map_index=batch)
            figures["requests"] += summary.requests
            figures["created"] += summary.outcomes.get("created", 0)
    return figures


def bodies(folder: str, database: str, run: int, file: str) -> dict[str, Any]:
    """Write the bodies that the load sends, for the peers; not measured."""
    from customer_import.bss.models import Organisation
    from customer_import.runs.reference_data import get_reference
    from customer_import.tasks.load.customers import read_chunks
    from customer_import.tasks.load.records import account_body, contact_body

    engine = open_engine(f"sqlite:///{database}")
    opened = open_run(engine, run)
    organisation = Organisation.model_validate(
        get_reference(engine, run, ReferenceName.ORGANISATION)
    )
    profile = opened.mappings.ordering_profile(opened.ordering_options)
    rows = [
        {
            "account": account_body(customer, organisation, profile),
            "contact": contact_body(customer, 0),
            "options": list(customer.sync_options.values()),
            "system": organisation.sync_system_id,
        }
        for batch in range(_batches(engine, run))
        for chunk in read_chunks(opened, engine, batch)
        for customer in chunk
    ]
    Path(file).write_bytes(orjson.dumps(rows))
    return {"customers": len(rows)}


def recurring(folder: str, database: str, scope: str) -> dict[str, Any]:
    """A whole run of a scope; runs of one database follow upon each other."""
    from customer_import.tasks.transform.transform import transform_customers
    from customer_import.tasks.validate.validate import validate_customers

    configure(64, slices=False)
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    figures: dict[str, Any] = {}
    with measured(figures):
        run = _begin(engine, scope=scope)
        prepare_run(run, engine, hook())
        extract_customers(run, engine, hook())
        validate_customers(run, engine)
        transform_customers(run, engine)
        list_accounts(run, engine)
        for batch in range(_batches(engine, run.key)):
            load_batch(run, engine, batch, attempt=1, map_index=batch)
        summary = close_run(engine, run.key, {})
    return figures | {"outcomes": summary.outcomes, "scope": summary.scope}


def fill(folder: str, database: str, customers: int) -> dict[str, Any]:
    """Stage made-up customers without Partner Center, one in a hundred of them faulty; not measured."""
    from sqlalchemy import insert

    from customer_import.database.tables import staged_customers
    from customer_import.runs.reference_data import put_reference
    from tests.tasks.validate.runs import COUNTRY_RULES, ORGANISATION, customer

    _write_instances()
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    run = _begin(engine)
    put_reference(engine, run.key, ReferenceName.ORGANISATION, ORGANISATION)
    put_reference(engine, run.key, ReferenceName.COUNTRY_RULES, COUNTRY_RULES)
    size = 10_000
    for first in range(0, customers, size):
        rows = [
            # In no order, as Partner Center lists them.
            customer(number, tenant_id=str(uuid.uuid4()), run_id=run.key, source=_source(number))
            for number in range(first, min(first + size, customers))
        ]
        with engine.begin() as connection:
            connection.execute(insert(staged_customers), rows)
    engine.dispose()  # SQLite's log is written back: the file is copied
    return {"run": run.key}


def validate(folder: str, database: str, run: int) -> dict[str, Any]:
    """Our validation stage with its verdicts written; the library is imported before."""
    from customer_import.tasks.validate.expectations import _import_quietly
    from customer_import.tasks.validate.validate import validate_customers

    _import_quietly()
    engine = _copy(folder, database)
    opened = open_run(engine, run)
    figures: dict[str, Any] = {}
    with measured(figures):
        summary = validate_customers(opened, engine)
    return figures | {"evaluated": summary.evaluated, "rejected": summary.rejected}


def transform(folder: str, database: str, run: int) -> dict[str, Any]:
    """Our transform stage, customers read from staging, accounts and contacts staged."""
    from customer_import.tasks.transform.transform import transform_customers

    engine = _copy(folder, database)
    opened = open_run(engine, run)
    figures: dict[str, Any] = {}
    with measured(figures):
        summary = transform_customers(opened, engine)
    return figures | {"accounts": summary.accounts}


def mapping(folder: str, database: str, run: int) -> dict[str, Any]:
    """Our transform alone, from rows in memory to bodies in memory: what ``normalize`` does."""
    from customer_import.mapping.source_columns import source_columns
    from customer_import.runs.reference_data import read_organisation
    from customer_import.runs.staged_customers import CHUNK_SIZE, read_customers
    from customer_import.tasks.transform.entities import build_entities

    engine = open_engine(f"sqlite:///{database}")
    opened = open_run(engine, run)
    organisation = read_organisation(engine, run)
    chunks = list(read_customers(engine, run, CHUNK_SIZE, is_validated=False))
    figures: dict[str, Any] = {"accounts": 0}
    with measured(figures):
        for rows in chunks:
            source = source_columns(rows, opened, organisation)
            figures["accounts"] += len(build_entities(source, opened, organisation).accounts)
    return figures


def parse(folder: str, repeat: int = 30) -> dict[str, Any]:
    """Parse our DAG files, an empty one, and one of as many tasks that do nothing, in turn, in a warm process."""
    import importlib.util
    import statistics

    from sandbox.demo.settings import ROOT
    from tests.benchmarks.overhead import SAME_SHAPE

    empty, same_shape = Path(folder) / "empty_dag.py", Path(folder) / "same_shape.py"
    empty.write_text("from airflow.sdk import DAG\n\nwith DAG('empty', schedule=None):\n    pass\n")
    same_shape.write_text(SAME_SHAPE)
    files = [empty, same_shape, *sorted((ROOT / "dags").glob("*.py"))]
    seconds: dict[str, list[float]] = {file.name: [] for file in files}
    for _ in range(repeat + 3):
        for file in files:
            spec = importlib.util.spec_from_file_location(f"bench_{uuid.uuid4().hex}", file)
            if spec is None or spec.loader is None:
                raise RuntimeError(file)
            started = time.perf_counter()
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
            seconds[file.name].append(time.perf_counter() - started)
    medians = {name: statistics.median(own[3:]) for name, own in seconds.items()}
    base, shape = medians.pop(empty.name), medians.pop(same_shape.name)
    return {
        "empty_s": base,
        "same_shape": shape / base,
        "ratios": {name: own / base for name, own in medians.items()},
    }


def configure(
    concurrency: int,
    requests_per_minute: int = 10_000_000,
    window_s: float = 60.0,
    *,
    slices: bool = True,
) -> None:
    path = instances_path()
    raw = yaml.safe_load(path.read_text())
    for instance in raw["instances"].values():
        instance["partner_center"] |= {
            "concurrency": concurrency,
            "requests_per_minute": requests_per_minute,
            "rate_window_s": window_s,
        }
        instance["bss"] |= {"concurrency": concurrency}
        instance["load_batch_size"] = ONE_BATCH
        if not slices:
            instance["full_read_every_days"] = None
    path.write_text(yaml.safe_dump(raw))


def hook() -> PartnerCenterHook:
    return PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)


def _write_instances() -> None:
    """Instances for the stages that touch neither end."""
    path = instances_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        instance = {"title": "Bench", "import_types": ["direct"]}
        path.write_text(yaml.safe_dump({"version": 1, "instances": {"sandbox": instance}}))


def _new_engine(folder: str) -> Engine:
    engine = open_engine(f"sqlite:///{Path(tempfile.mkdtemp(dir=folder)) / 'bench.db'}")
    migrate(engine)
    return engine


def _copy(folder: str, database: str) -> Engine:
    """A stage finds what extraction left, not what an earlier measurement wrote."""
    copy = Path(tempfile.mkdtemp(dir=folder)) / "stages.db"
    shutil.copy(database, copy)
    return open_engine(f"sqlite:///{copy}")


def _begin(engine: Engine, **params: Any) -> Run:
    load_instance("sandbox", DIRECT)
    params = {"instance": "sandbox", "scope": "full", "max_rejected_percent": 100} | params
    key = f"bench__{uuid.uuid4()}"
    return begin_run(engine, DIRECT.dag_id, key, DIRECT, RunParams.parse(params), "bench")


def _batches(engine: Engine, run_key: int) -> int:
    from customer_import.database.tables import import_runs

    with engine.connect() as connection:
        return (
            connection.execute(
                select(import_runs.c.batches).where(import_runs.c.id == run_key)
            ).scalar_one()
            or 0
        )


def _source(number: int) -> dict[str, str]:
    name = {"companyProfile.companyName": f"Company {number}"}
    return name | ({"billingProfile.email": "no address"} if number % 100 == 0 else {})
