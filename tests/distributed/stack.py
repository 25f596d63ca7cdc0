"""Starts, watches and stops the services of a compose file, as ``docker compose`` does, as processes of this machine.

Nothing runs beside the caller: whoever waits calls ``tick``, or ``wait``, which does.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Self

from sandbox.demo.processes import free_port
from tests.distributed.compose_file import Condition
from tests.distributed.container import Container, Health, Launch, exit_in_words, tail
from tests.distributed.images import IMAGES, account_of, image_of
from tests.distributed.places import LISTENERS, Places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.distributed.compose_file import Service
    from tests.distributed.images import Image

UP_TIMEOUT_S = 600.0
_FIRST_PORT = 20_480  # below those that the kernel gives to clients
_TICK_S = 0.1


class StackError(Exception):
    """A service did not do what was waited for; the message has the end of its log."""


class Stack:
    """The services of a compose file; leaving the block leaves no process behind.

    Args:
        folder: For what the containers write: file systems, volumes, logs. Other users must be able to enter it.
        services: As ``read_compose`` gives them.
        ports: Service and port to the port that stands for it (``take_ports``).
        replicas: How many containers a service has; 1 when it is not named.
        extra: Service to further variables.
        images: What stands in for the images.
    """

    def __init__(
        self,
        folder: Path,
        services: Mapping[str, Service],
        ports: Mapping[tuple[str, int], int],
        replicas: Mapping[str, int] | None = None,
        extra: Callable[[Service], Mapping[str, str]] = lambda _: {},
        images: Mapping[str, Image] = IMAGES,
    ) -> None:
        self.folder = folder
        self._services = services
        self._ports = ports
        self._replicas = replicas or {}
        self._extra = extra
        self._images = images
        self._numbers: dict[str, int] = {}
        self._next_port = max(ports.values(), default=_FIRST_PORT) + 1
        self.containers: dict[str, list[Container]] = {name: [] for name in services}
        for name in _in_order(services):
            for _ in range(self._replicas.get(name, 1)):
                self._create(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for container in self._all():
            container.remove()

    def tick(self) -> None:
        """See what became of every container; start again what is due."""
        for container in self._all():
            container.tick()

    def wait(self, what: str, is_true: Callable[[], bool], timeout_s: float) -> float:
        """Wait until something is true, while the stack goes on; return how many seconds it took.

        Raises:
            StackError: It did not become true in time.
        """
        started = time.monotonic()
        while not is_true():
            self.tick()
            if time.monotonic() - started > timeout_s:
                message = f"{what} within {timeout_s:.0f} s"
                raise StackError(message)
            time.sleep(_TICK_S)
        return time.monotonic() - started

    def up(self, timeout_s: float = UP_TIMEOUT_S) -> None:
        """Start what does not run, each service once what it depends on is as it wants; wait until all are well.

        Raises:
            StackError: A service that another one needs failed, or it took too long.
        """
        self.wait("the stack was not up", self.rising(), timeout_s)

    def rising(self) -> Callable[[], bool]:
        """Return what goes on with the start whenever it is called, and tells whether all are well."""
        waiting = [one for one in self._all() if not one.is_running]
        for container in waiting:
            container.exit_code = None

        def rise() -> bool:
            for container in [one for one in waiting if self._may_start(one.service)]:
                container.start()
                waiting.remove(container)
            return not waiting and all(map(self._is_well, self._all()))

        return rise

    def stop(self, names: Collection[str] | None = None) -> int:
        """Stop services in order, what depends on others first; return how many containers had to be killed."""
        wanted = self._services.keys() if names is None else names
        killed = 0
        for group in reversed(list(_levels({n: self._services[n] for n in wanted}))):
            begun = time.monotonic()
            stopped = [one for name in group for one in self.containers[name]]
            for container in stopped:
                container.begin_stop()
            for container in stopped:
                is_by_itself = container.finish_stop(begun + container.service.stop_grace_s)
                killed += not is_by_itself
        return killed

    def start(self, *names: str) -> None:
        """Start services again, without regard to what they depend on."""
        for name in names:
            for container in self.containers[name]:
                container.start()

    def restart(self, name: str) -> None:
        """Stop a service in order and start it again."""
        self.stop({name})
        self.start(name)

    def remove(self, container: Container) -> int:
        """End a container at once and for good; return how many processes it had."""
        self.containers[container.service.name].remove(container)
        return container.remove()

    def add(self, name: str) -> Container:
        """Start one more container of a service."""
        container = self._create(name)
        container.start()
        return container

    def one(self, name: str) -> Container:
        """Return the only container of a service."""
        (container,) = self.containers[name]
        return container

    def is_well(self, name: str) -> bool:
        """Whether all containers of a service run and are healthy."""
        return all(map(self._is_well, self.containers[name]))

    def _all(self) -> list[Container]:
        return [one for containers in self.containers.values() for one in containers]

    def _is_well(self, container: Container) -> bool:
        if container.exit_code is not None and container.service.restart == "no":
            self._require_success(container)
            return True
        return container.is_running and container.health in {Health.NONE, Health.HEALTHY}

    def _may_start(self, service: Service) -> bool:
        return all(
            self._is_met(container, condition)
            for name, condition in service.depends_on.items()
            for container in self.containers.get(name, [])
        )

    def _is_met(self, container: Container, condition: Condition) -> bool:
        if condition is Condition.COMPLETED:
            if container.exit_code is None:
                return False
            self._require_success(container)
            return True
        if condition is Condition.HEALTHY:
            if container.health is Health.UNHEALTHY:
                self._fail(container, "is unhealthy")
            return container.is_running and container.health is Health.HEALTHY
        return container.is_running

    def _require_success(self, container: Container) -> None:
        if container.exit_code:
            self._fail(container, exit_in_words(container.exit_code))

    def _fail(self, container: Container, what: str) -> None:
        message = f"{container.name} {what}:\n{tail(container.launch.log)}"
        raise StackError(message)

    def _create(self, name: str) -> Container:
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        service = self._services[name]
        container = Container(service, number, self._launch(service, number))
        self.containers[name].append(container)
        return container

    def _launch(self, service: Service, number: int) -> Launch:
        """Make the folders and files of a container, and say how it is started."""
        image = image_of(service, self._images)
        account = account_of(image)
        name = f"{service.name}-{number}"
        root = self.folder / "containers" / name
        owned = [root]
        for folder in image.folders:
            owned.append(root / folder[1:])
            owned[-1].mkdir(parents=True)
        root.mkdir(parents=True, exist_ok=True)
        for mount in service.mounts:
            source = self.folder / "volumes" / mount.source if mount.is_volume else mount.source
            if mount.is_volume:
                source.mkdir(parents=True, exist_ok=True)
                owned.append(source)
            _link(root / mount.target[1:], source)
        for config in service.configs:
            file = root / config.target[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(config.content, encoding="utf-8")
            file.chmod(config.mode)
        for folder in owned if account else ():
            os.chown(folder, account.pw_uid, account.pw_gid)
        own_ports = self._own_ports(service, number)
        targets = (
            *image.folders,
            *(m.target for m in service.mounts),
            *(c.target for c in service.configs),
        )
        places = Places(service.name, root, targets, own_ports, self._ports)
        told = {LISTENERS[service.name, port]: str(own) for port, own in own_ports.items()}
        variables = {**image.environment, **service.environment, **self._extra(service)}
        environment = {
            "HOME": str(root),
            "HOSTNAME": name,
            "LANG": "C.UTF-8",
            **{name: value for name, value in told.items() if name},
            **image.native,
            **places.rewrite_variables(variables),
            "PATH": os.pathsep.join(
                [*map(str, image.programs), "/usr/local/bin", "/usr/bin", "/bin"]
            ),
        }
        entrypoint = image.entrypoint if service.entrypoint is None else service.entrypoint
        # As Docker does: who says what runs the command says the command too.
        command = image.command if service.entrypoint is None else ()
        words = (
            service.entrypoint or (),
            service.command if service.command is not None else command,
        )
        rewritten = [tuple(map(places.rewrite, part)) for part in words]
        check = service.healthcheck
        return Launch(
            command=(*(rewritten[0] or entrypoint), *rewritten[1]),
            environment=environment,
            folder=root,
            log=self._log(name),
            account=account,
            stop_signal=_signal(service.stop_signal) or image.stop_signal,
            is_signalled_whole=image.is_signalled_whole
            and environment.get("DUMB_INIT_SETSID") != "0",
            health_command=tuple(map(places.rewrite, check.test)) if check else (),
        )

    def _own_ports(self, service: Service, number: int) -> dict[int, int]:
        """The first container of a service has the ports by which others find it, further ones have their own."""
        mine = {port: own for (name, port), own in self._ports.items() if name == service.name}
        if number > 1:
            for port in list(mine):
                self._next_port = free_port(self._next_port) + 1
                mine[port] = self._next_port - 1
        return mine

    def _log(self, name: str) -> Path:
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"


def take_ports() -> dict[tuple[str, int], int]:
    """Find a port of this machine for each one that a service may listen at."""
    taken: dict[tuple[str, int], int] = {}
    following = _FIRST_PORT
    for listener in LISTENERS:
        taken[listener] = free_port(following)
        following = taken[listener] + 1
    return taken


def _link(path: Path, target: Path | str) -> None:
    if path.is_dir():
        path.rmdir()  # the image's own, which the mount hides
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _signal(name: str | None) -> signal.Signals | None:
    return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"] if name else None


def _levels(services: Mapping[str, Service]) -> Iterator[list[str]]:
    """Group services: each depends on those of earlier groups only."""
    left = dict(services)
    while left:
        group = [
            name
            for name, service in left.items()
            if not any(one in left for one in service.depends_on)
        ]
        if not group:
            message = f"services depend on each other in a circle: {', '.join(left)}"
            raise StackError(message)
        yield group
        for name in group:
            del left[name]


def _in_order(services: Mapping[str, Service]) -> Sequence[str]:
    return [name for group in _levels(services) for name in group]
