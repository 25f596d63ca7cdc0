"""Hosts, ports and paths of containers, as they are on one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.distributed.compose_file import ComposeError
from tests.distributed.places import Places

_PLACES = Places(
    service="airflow-apiserver",
    root=Path("/native"),
    paths=("/opt/airflow", "/import-database.sql"),
    own_ports={8080: 20_001},
    ports={
        ("postgres", 5432): 20_000,
        ("airflow-apiserver", 8080): 20_001,
        ("sandbox", 8081): 20_002,
        ("sandbox", 8082): 20_003,
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db+postgresql://u:p@postgres/airflow", "db+postgresql://u:p@127.0.0.1:20000/airflow"),
        ("http://airflow-apiserver:8080/execution/", "http://127.0.0.1:20001/execution/"),
        ("http://localhost:8080/health", "http://127.0.0.1:20001/health"),
        ("http://127.0.0.1:20002", "http://127.0.0.1:20002"),
        ("--bss-port=8080", "--bss-port=20001"),
        ("--public-host=sandbox", "--public-host=127.0.0.1"),
        ("--host=0.0.0.0", "--host=127.0.0.1"),
        ("/opt/airflow/dags", "/native/opt/airflow/dags"),
        ("--file=/import-database.sql", "--file=/native/import-database.sql"),
        ('x > "/opt/airflow/a" 2>/dev/null', 'x > "/native/opt/airflow/a" 2>/dev/null'),
        ("celery@$HOSTNAME", "celery@$HOSTNAME"),
    ],
)
def test_a_text_is_rewritten(text: str, expected: str) -> None:
    assert _PLACES.rewrite(text) == expected


def test_a_client_that_is_told_a_host_alone_is_told_the_port_too() -> None:
    assert _PLACES.rewrite_variables({"PGHOST": "postgres"}) == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "20000",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://elsewhere/x", "the host or port elsewhere: has no place"),
        ("http://sandbox/x", "the host or port sandbox: has no place"),
        ("http://localhost:9/x", "the port 9 has no place"),
        ("--metrics-port=9", "the port 9 has no place"),
        ("/etc/secret", "services.airflow-apiserver: the path /etc/secret has no place"),
        ("/opt/airflow-other/x", "the path /opt/airflow-other/x has no place"),
    ],
)
def test_what_has_no_place_is_named(text: str, told: str) -> None:
    with pytest.raises(ComposeError, match=told):
        _PLACES.rewrite(text)
