"""Where things of the containers are on this machine: hosts, ports, folders.

Containers have names, ports and file systems of their own; processes share those of the machine. So each container
gets a folder that stands for its ``/``, each port that something listens at another one, and every text of the compose
file is rewritten by the rules below. What looks like a host, a port or a path of a container and has no rule fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tests.distributed.compose_file import ComposeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"

LISTENERS: Mapping[tuple[str, int], str] = {
    ("postgres", 5432): "PGPORT",
    ("redis", 6379): "REDIS_PORT",
    ("airflow-apiserver", 8080): "AIRFLOW__API__PORT",
    ("airflow-scheduler", 8793): "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    ("airflow-scheduler", 8974): "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT",
    ("airflow-triggerer", 8794): "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT",
    ("airflow-worker", 8793): "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    # The sandbox is told in its arguments.
    ("sandbox", 8443): "",
    ("sandbox", 8081): "",
    ("sandbox", 8082): "",
}
"""Service and port within its containers: the variable that tells a process which port to take instead."""

CLIENT_PORTS: Mapping[str, tuple[int, str]] = {"PGHOST": (5432, "PGPORT")}
"""Variable with a host alone: the port that is meant, and the variable that tells a client another one."""

MACHINE_FOLDERS = ("/bin/", "/usr/bin/", "/dev/")
"""What is the same in containers and on the machine."""

_AUTHORITY = re.compile(
    r"(?P<before>://(?:[^/@\s]*@)?)(?P<host>[\w.-]+)(?::(?P<port>\d+))?(?=[/?\s\"']|$)"
)
_PORT_ARGUMENT = re.compile(r"(?<=-port=)\d+$")
_HOST_ARGUMENT = re.compile(r"(?<=-host=)[\w.-]+$")
_PATH = re.compile(r"(?<![\w./:$}*-])/[\w-][\w./-]*")


@dataclass(frozen=True)
class Places:
    """Where the things of one container are.

    Attributes:
        service: Its service.
        root: The folder that stands for its ``/``.
        paths: What of its file system is found there.
        own_ports: Its ports to those that stand for them.
        ports: Of all services: service and port to the port that stands for it.
    """

    service: str
    root: Path
    paths: tuple[str, ...]
    own_ports: Mapping[int, int]
    ports: Mapping[tuple[str, int], int]

    def rewrite(self, text: str) -> str:
        """Return a text with the places of this machine.

        Raises:
            ComposeError: It names a host, port or path without a rule.
        """
        text = _AUTHORITY.sub(self._authority, text)
        text = _PORT_ARGUMENT.sub(lambda found: str(self._own(int(found.group()))), text)
        text = _HOST_ARGUMENT.sub(lambda found: self._host(found.group()), text)
        return _PATH.sub(self._path, text)

    def rewrite_variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return variables with the places of this machine.

        Raises:
            ComposeError: One names a host, port or path without a rule.
        """
        done = {name: self.rewrite(text) for name, text in variables.items()}
        for name, (port, told) in CLIENT_PORTS.items():
            if name in variables and "/" not in variables[name]:
                host = variables[name]
                done[name], done[told] = LOOPBACK, str(self._port(host, port))
        return done

    def _authority(self, found: re.Match[str]) -> str:
        host, port = found["host"], found["port"]
        if host in {"localhost", LOOPBACK}:
            if port is None or int(port) in self.ports.values():
                return found.group()
            return f"{found['before']}{LOOPBACK}:{self._own(int(port))}"
        of_host = [inner for name, inner in self.ports if name == host]
        if port is None and len(of_host) == 1:
            port = str(of_host[0])
        return f"{found['before']}{LOOPBACK}:{self._port(host, int(port or 0))}"

    def _port(self, host: str, port: int) -> int:
        if (host, port) not in self.ports:
            self._refuse("host or port", f"{host}:{port or ''}")
        return self.ports[host, port]

    def _own(self, port: int) -> int:
        if port not in self.own_ports:
            self._refuse("port", str(port))
        return self.own_ports[port]

    def _host(self, host: str) -> str:
        if host not in {"0.0.0.0", *(name for name, _ in self.ports)}:  # noqa: S104 - it is what is replaced
            self._refuse("host", host)
        return LOOPBACK

    def _path(self, found: re.Match[str]) -> str:
        path = found.group()
        if path.startswith(MACHINE_FOLDERS):
            return path
        if not any(f"{path}/".startswith(f"{known}/") for known in self.paths):
            self._refuse("path", path)
        return f"{self.root}{path}"

    def _refuse(self, kind: str, what: str) -> NoReturn:
        message = f"services.{self.service}: the {kind} {what} has no place on this machine; see {__name__}"
        raise ComposeError(message)
