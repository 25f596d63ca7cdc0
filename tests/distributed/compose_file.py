"""Reads a compose file into frozen models, as Docker Compose understands it.

What it does not understand fails with its name: nothing is left out in silence.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import yaml

from tests.distributed.interpolation import InterpolationError, interpolate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(us|ms|h|m|s))")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_RESTARTS = re.compile(r"no|always|unless-stopped|on-failure(:\d+)?")


class ComposeError(ValueError):
    """The compose file has something that the runner does not understand; the message says where and what."""


class Condition(StrEnum):
    """What a service waits for at another one."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True)
class HealthCheck:
    """How a service is asked whether it is well; times in seconds, with Docker's defaults.

    Attributes:
        test: Program and arguments.
        start_interval_s: Between two checks while the service is in its start period.
    """

    test: tuple[str, ...]
    interval_s: float = 30.0
    timeout_s: float = 30.0
    retries: int = 3
    start_period_s: float = 0.0
    start_interval_s: float = 5.0


@dataclass(frozen=True)
class Mount:
    """A folder of the host, or a named volume, in a service's file system."""

    source: str
    target: str
    is_volume: bool


@dataclass(frozen=True)
class ConfigFile:
    """A file that the compose file brings along."""

    target: str
    content: str
    mode: int = 0o444


@dataclass(frozen=True)
class Service:
    """One service, with every variable filled in.

    Attributes:
        depends_on: What it waits for, of the services that are started.
        optional: Those of them without which it is started too.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    restart: str = "no"
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    healthcheck: HealthCheck | None = None
    stop_signal: str | None = None
    stop_grace_s: float = 10.0
    profiles: frozenset[str] = frozenset()
    mounts: tuple[Mount, ...] = ()
    configs: tuple[ConfigFile, ...] = ()
    ports: tuple[tuple[str, str], ...] = ()
    user: str | None = None


def read_compose(
    path: Path, variables: Mapping[str, str], profiles: Iterable[str] = ()
) -> dict[str, Service]:
    """Return the services that are started with these profiles, by name.

    Services of other profiles are read as well: what is wrong with them is said too.

    Raises:
        ComposeError: The file has something that is not understood.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {key: value for key, value in document.items() if not key.startswith("x-")}
    document = _interpolated(known, variables, path.name)
    _refuse_unknown("the file", document, {"name", "services", "volumes", "configs"})
    volumes = document.get("volumes") or {}
    for name, volume in volumes.items():
        if volume:
            message = f"volumes.{name} has settings, which are not understood: {volume}"
            raise ComposeError(message)
    configs = {
        name: _config_content(name, config, path)
        for name, config in (document.get("configs") or {}).items()
    }
    reader = _Reader(path.parent, frozenset(volumes), configs)
    services = {name: reader.service(name, body) for name, body in document["services"].items()}
    chosen = set(profiles)
    active = {
        name: service
        for name, service in services.items()
        if not service.profiles or service.profiles & chosen
    }
    return {name: _without_absent(service, active) for name, service in active.items()}


def _without_absent(service: Service, active: Collection[str]) -> Service:
    """Leave out dependencies that are not started and need not be."""
    absent = service.depends_on.keys() - active
    if missing := absent - service.optional:
        message = f"services.{service.name}.depends_on: {', '.join(sorted(missing))} is not started"
        raise ComposeError(message)
    kept = {name: one for name, one in service.depends_on.items() if name not in absent}
    return replace(service, depends_on=kept)


def seconds(duration: object) -> float:
    """Read a duration such as ``1m30s``.

    Raises:
        ComposeError: It is none.
    """
    text = str(duration)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        message = f"{text!r} is no duration"
        raise ComposeError(message)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


class _Reader:
    """Reads the services of one file."""

    def __init__(self, folder: Path, volumes: frozenset[str], configs: dict[str, str]) -> None:
        self._folder = folder
        self._volumes = volumes
        self._configs = configs

    def service(self, name: str, body: dict[str, Any]) -> Service:
        where = f"services.{name}"
        readers: dict[str, Callable[[Any], dict[str, Any]]] = {
            "image": lambda value: {"image": value},
            # The checkout stands in for what is built of it.
            "build": lambda _: {},
            "user": lambda value: {"user": str(value)},
            "entrypoint": lambda value: {"entrypoint": _words(value)},
            "command": lambda value: {"command": _words(value)},
            "environment": lambda value: {"environment": _environment(where, value)},
            "restart": lambda value: {"restart": _restart(where, value)},
            "depends_on": lambda value: _depends_on(where, value),
            "healthcheck": lambda value: {"healthcheck": _healthcheck(where, value)},
            "stop_signal": lambda value: {"stop_signal": value},
            "stop_grace_period": lambda value: {"stop_grace_s": seconds(value)},
            "profiles": lambda value: {"profiles": frozenset(value)},
            "volumes": lambda value: {"mounts": tuple(self._mount(where, one) for one in value)},
            "configs": lambda value: {"configs": tuple(self._config(where, one) for one in value)},
            "ports": lambda value: {"ports": tuple(_port(where, one) for one in value)},
        }
        _refuse_unknown(where, body, readers)
        if "image" not in body:
            message = f"{where} has no image"
            raise ComposeError(message)
        values: dict[str, Any] = {}
        for key, value in body.items():
            values |= readers[key](value)
        return Service(name, **values)

    def _mount(self, where: str, value: Any) -> Mount:
        parts = value.split(":") if isinstance(value, str) else []
        if len(parts) not in {2, 3} or (parts[2:] and parts[2] not in {"ro", "rw"}):
            message = f"{where}.volumes: {value!r} is not understood"
            raise ComposeError(message)
        source, target = parts[:2]
        if source.startswith((".", "/")):
            return Mount(str((self._folder / source).resolve()), target, is_volume=False)
        if source not in self._volumes:
            message = f"{where}.volumes: there is no volume {source}"
            raise ComposeError(message)
        return Mount(source, target, is_volume=True)

    def _config(self, where: str, value: Any) -> ConfigFile:
        if isinstance(value, str):
            value = {"source": value}
        _refuse_unknown(f"{where}.configs", value, {"source", "target", "mode"})
        source = value["source"]
        if source not in self._configs:
            message = f"{where}.configs: there is no config {source}"
            raise ComposeError(message)
        mode = {"mode": int(str(value["mode"]), 8)} if isinstance(value.get("mode"), str) else {}
        if isinstance(value.get("mode"), int):
            mode = {"mode": value["mode"]}
        return ConfigFile(value.get("target", f"/{source}"), self._configs[source], **mode)


def _interpolated(value: Any, variables: Mapping[str, str], where: str) -> Any:
    """Fill in the variables of all texts, however deep."""
    if isinstance(value, dict):
        return {key: _interpolated(one, variables, f"{where}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_interpolated(one, variables, f"{where}[{n}]") for n, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return interpolate(value, variables)
    except InterpolationError as error:
        message = f"{where}: {error}"
        raise ComposeError(message) from error


def _refuse_unknown(where: str, body: Any, known: Iterable[str]) -> None:
    if not isinstance(body, dict):
        message = f"{where} is not understood: {body!r}"
        raise ComposeError(message)
    if unknown := sorted(body.keys() - set(known)):
        message = f"{where}: {', '.join(unknown)} is not understood"
        raise ComposeError(message)


def _config_content(name: str, config: Any, path: Path) -> str:
    _refuse_unknown(f"configs.{name}", config, {"content", "file"})
    if "file" in config:
        return (path.parent / config["file"]).read_text(encoding="utf-8")
    content: str = config["content"]
    return content


def _words(value: Any) -> tuple[str, ...] | None:
    """A text is split as a shell does, without being run by one."""
    if value is None:
        return None
    return tuple(shlex.split(value)) if isinstance(value, str) else tuple(map(str, value))


def _environment(where: str, value: Any) -> dict[str, str]:
    if isinstance(value, list):
        pairs = [one.partition("=") for one in value]
        value = {name: text if sign else None for name, sign, text in pairs}
    for name, text in value.items():
        if text is None or isinstance(text, bool):
            message = f"{where}.environment.{name}: {text!r} is not understood"
            raise ComposeError(message)
    return {name: str(text) for name, text in value.items()}


def _restart(where: str, value: Any) -> str:
    if not isinstance(value, str) or not _RESTARTS.fullmatch(value):
        message = f"{where}.restart: {value!r} is not understood"
        raise ComposeError(message)
    return value


def _depends_on(where: str, value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"depends_on": dict.fromkeys(value, Condition.STARTED)}
    for name, body in value.items():
        _refuse_unknown(f"{where}.depends_on.{name}", body, {"condition", "required"})
        is_known = body.get("condition") in set(Condition)
        if not is_known or not isinstance(body.get("required", True), bool):
            message = f"{where}.depends_on.{name}: {body} is not understood"
            raise ComposeError(message)
    return {
        "depends_on": {name: Condition(body["condition"]) for name, body in value.items()},
        "optional": frozenset(
            name for name, body in value.items() if not body.get("required", True)
        ),
    }


def _healthcheck(where: str, value: Any) -> HealthCheck | None:
    where = f"{where}.healthcheck"
    if isinstance(value, dict) and value.get("disable"):
        return None
    times = {"interval", "timeout", "start_period", "start_interval"}
    _refuse_unknown(where, value, {"test", "retries", *times})
    test = value.get("test")
    if isinstance(test, str):
        test = ["CMD-SHELL", test]
    match test:
        case ["NONE"]:
            return None
        case ["CMD", *words] if words:
            words = [str(word) for word in words]
        case ["CMD-SHELL", str(text)]:
            words = ["/bin/sh", "-c", text]
        case _:
            message = f"{where}.test: {test!r} is not understood"
            raise ComposeError(message)
    given: dict[str, Any] = {f"{name}_s": seconds(value[name]) for name in times if name in value}
    if "retries" in value:
        given["retries"] = int(value["retries"])
    return HealthCheck(tuple(words), **given)


def _port(where: str, value: Any) -> tuple[str, str]:
    parts = str(value).rsplit(":", 1)
    if len(parts) != 2 or not parts[1].isdigit():
        message = f"{where}.ports: {value!r} is not understood"
        raise ComposeError(message)
    return parts[0], parts[1]
