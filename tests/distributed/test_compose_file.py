"""Reading a compose file: what Docker Compose would make of it, and no silence about anything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.distributed.compose_file import (
    ComposeError,
    Condition,
    ConfigFile,
    HealthCheck,
    Mount,
    Service,
    read_compose,
    seconds,
)
from tests.distributed.deployment import read_deployment
from tests.distributed.host import take_ports
from tests.distributed.images import image_of
from tests.distributed.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

_FILE = """
name: example
x-common: &common
  image: base:1
  restart: always
  environment: &environment
    ONE: ${ONE:-1}
  depends_on:
    init:
      condition: service_completed_successfully
    extra:
      condition: service_healthy
      required: false
services:
  init:
    image: base:1
    entrypoint: ["/bin/bash", "-c"]
    command:
      - |
        echo "$$HOME"
  server:
    <<: *common
    command: serve --name "two words"
    environment:
      <<: *environment
      TWO: 2
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    volumes:
      - ./data:/data:ro
      - kept:/kept
    configs:
      - source: file
        target: /etc/file
    ports:
      - "127.0.0.1:${PORT:-80}:8080"
    healthcheck:
      test: 'true || false'
      interval: 500ms
      retries: 5
  extra:
    image: other:1
    profiles: ["extra"]
configs:
  file:
    content: "content $$X"
volumes:
  kept:
"""


def _read(folder: Path, text: str = _FILE, **options) -> dict[str, Service]:
    path = folder / "compose.yaml"
    path.write_text(text, encoding="utf-8")
    return read_compose(path, {}, **options)


def test_a_service_is_read_with_merges_variables_and_defaults(tmp_path) -> None:
    services = _read(tmp_path)
    assert list(services) == ["init", "server"]
    assert services["init"].command == ('echo "$HOME"\n',)
    assert services["server"] == Service(
        name="server",
        image="base:1",
        command=("serve", "--name", "two words"),
        environment={"ONE": "1", "TWO": "2"},
        restart="always",
        depends_on={"init": Condition.COMPLETED},
        optional=frozenset({"extra"}),
        healthcheck=HealthCheck(("/bin/sh", "-c", "true || false"), interval_s=0.5, retries=5),
        stop_signal="SIGINT",
        stop_grace_s=90,
        mounts=(
            Mount(str(tmp_path / "data"), "/data", is_volume=False),
            Mount("kept", "/kept", is_volume=True),
        ),
        configs=(ConfigFile("/etc/file", "content $X"),),
        ports=(("127.0.0.1:80", "8080"),),
    )


def test_a_profile_brings_its_services(tmp_path) -> None:
    services = _read(tmp_path, profiles=["extra"])
    assert services["server"].depends_on == {
        "init": Condition.COMPLETED,
        "extra": Condition.HEALTHY,
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "restart: always",
            "network_mode: host",
            "services.server: network_mode is not understood",
        ),
        ("restart: always", "restart: sometimes", "services.server.restart: 'sometimes'"),
        ("required: false", "restart: true", "services.server.depends_on.extra: restart"),
        ("    retries: 5", "    retry: 5", "services.server.healthcheck: retry"),
        ("500ms", "500", "'500' is no duration"),
        ("- kept:/kept", "- lost:/kept", "there is no volume lost"),
        ("source: file", "source: lost", "there is no config lost"),
        ("required: false", "required: true", "services.server.depends_on: extra is not started"),
        (
            "${ONE:-1}",
            "${ONE:?needed}",
            "services.server.environment.ONE: ONE has no value: needed",
        ),
        ("TWO: 2", "TWO:", "services.server.environment.TWO: None is not understood"),
        ("kept:\n", "kept: {external: true}\n", "volumes.kept has settings"),
        ("name: example", "networks: {}", "the file: networks is not understood"),
        ("image: other:1", "privileged: true", "services.extra: privileged is not understood"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path, old: str, new: str, told: str) -> None:
    assert old in _FILE
    with pytest.raises(ComposeError, match=re.escape(told)):
        _read(tmp_path, _FILE.replace(old, new))


def test_durations() -> None:
    assert [seconds(text) for text in ("10s", "1m30s", "1h", "250ms")] == [10, 90, 3600, 0.25]


def test_all_of_our_compose_file_is_understood_and_has_its_place(tmp_path) -> None:
    ports = take_ports()
    stack = Stack(tmp_path, read_deployment(ports), ports, replicas={"airflow-worker": 2})
    assert [one.name for one in stack.containers["airflow-worker"]] == [
        "airflow-worker-1",
        "airflow-worker-2",
    ]


def test_an_image_without_stand_in_is_named() -> None:
    with pytest.raises(ComposeError, match="nothing stands in for the image varnish:7"):
        image_of(Service("cache", "varnish:7"))
