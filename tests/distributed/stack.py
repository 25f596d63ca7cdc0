"""Starts, watches and stops the services of a compose file, as ``docker compose`` does, as processes of this machine.

Nothing runs beside the caller: whoever waits calls ``tick``, or ``wait``, which does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from tests.distributed.compose_file import Condition
from tests.distributed.container import Container, Health, exit_in_words, tail
from tests.distributed.host import Host
from tests.distributed.images import IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.distributed.compose_file import Service
    from tests.distributed.images import Image

UP_TIMEOUT_S = 600.0
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
        extra: Variables of a service beside those of the compose file.
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
        self._services = services
        self._replicas = replicas or {}
        self._host = Host(folder, ports, extra, images)
        self._numbers: dict[str, int] = {}
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

    def pause(self, seconds: float) -> None:
        """Let time pass, while the stack goes on."""
        until = time.monotonic() + seconds
        self.wait("", lambda: time.monotonic() >= until, seconds + 1)

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
        container = Container(service, number, self._host.prepare(service, number))
        self.containers[name].append(container)
        return container


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
