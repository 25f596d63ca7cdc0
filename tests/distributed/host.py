"""Prepares on this machine what a container needs: folders, files and ports, and how its first process is started."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.demo.processes import free_port
from tests.distributed.container import Launch
from tests.distributed.images import account_of, image_of
from tests.distributed.places import LISTENERS, Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.distributed.compose_file import Service
    from tests.distributed.images import Image

_FIRST_PORT = 20_480  # below those that the kernel gives to clients


class Host:
    """The machine that has all the containers.

    Args:
        folder: For what the containers write: file systems, volumes, logs.
        ports: Service and port to the port that stands for it.
        extra: Variables of a service beside those of the compose file.
        images: What stands in for the images.
    """

    def __init__(
        self,
        folder: Path,
        ports: Mapping[tuple[str, int], int],
        extra: Callable[[Service], Mapping[str, str]],
        images: Mapping[str, Image],
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._extra = extra
        self._images = images
        self._next_port = max(ports.values(), default=_FIRST_PORT) + 1

    def prepare(self, service: Service, number: int) -> Launch:
        """Make a container's folders and files, and say how it is started.

        Raises:
            ComposeError: It has something that has no place or no stand-in here.
        """
        image = image_of(service, self._images)
        account = account_of(image)
        name = f"{service.name}-{number}"
        root = self._folder / "containers" / name
        written = self._make_files(service, image, root)
        if account is not None:
            for one in written:
                os.chown(one, account.pw_uid, account.pw_gid)
        own_ports = self._own_ports(service, number)
        mounted = [mount.target for mount in service.mounts]
        mounted += [config.target for config in service.configs]
        places = Places(service.name, root, (*image.folders, *mounted), own_ports, self._ports)
        environment = self._environment(service, image, places) | {
            "HOME": str(root),
            "HOSTNAME": name,
        }
        check = service.healthcheck
        logs = self._folder / "logs"
        logs.mkdir(exist_ok=True)
        return Launch(
            command=_command(service, image, places),
            environment=environment,
            folder=root,
            log=logs / f"{name}.log",
            account=account,
            stop_signal=_signal(service.stop_signal) or image.stop_signal,
            is_signalled_whole=image.is_signalled_whole
            and environment.get("DUMB_INIT_SETSID") != "0",
            health_command=tuple(map(places.rewrite, check.test)) if check else (),
        )

    def _make_files(self, service: Service, image: Image, root: Path) -> Iterable[Path]:
        """Make what stands for the container's file system; return what its processes may write to."""
        written = [root, *(root / folder[1:] for folder in image.folders)]
        for folder in written:
            folder.mkdir(parents=True, exist_ok=True)
        for mount in service.mounts:
            source = Path(mount.source)
            if mount.is_volume:
                source = self._folder / "volumes" / mount.source
                source.mkdir(parents=True, exist_ok=True)
                written.append(source)
            _link(root / mount.target[1:], source)
        for config in service.configs:
            file = root / config.target[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(config.content, encoding="utf-8")
            file.chmod(config.mode)
        return written

    def _environment(self, service: Service, image: Image, places: Places) -> dict[str, str]:
        told = {LISTENERS[service.name, port]: own for port, own in places.own_ports.items()}
        programs = [*map(str, image.programs), "/usr/local/bin", "/usr/bin", "/bin"]
        variables = {**image.environment, **service.environment, **self._extra(service)}
        return {
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(programs),
            **{name: str(own) for name, own in told.items() if name},
            **image.native,
            **places.rewrite_variables(variables),
        }

    def _own_ports(self, service: Service, number: int) -> dict[int, int]:
        """The first container of a service has the ports by which others find it, further ones have their own."""
        mine = {port: own for (name, port), own in self._ports.items() if name == service.name}
        if number > 1:
            for port in list(mine):
                self._next_port = free_port(self._next_port) + 1
                mine[port] = self._next_port - 1
        return mine


def take_ports() -> dict[tuple[str, int], int]:
    """Find a port of this machine for each one that a service may listen at."""
    taken: dict[tuple[str, int], int] = {}
    following = _FIRST_PORT
    for listener in LISTENERS:
        taken[listener] = free_port(following)
        following = taken[listener] + 1
    return taken


def _command(service: Service, image: Image, places: Places) -> tuple[str, ...]:
    """As Docker does: who says what runs the command has the image's own command no more."""
    command = service.command
    if service.entrypoint is not None:
        return tuple(map(places.rewrite, (*service.entrypoint, *(command or ()))))
    words = image.command if command is None else tuple(map(places.rewrite, command))
    return (*image.entrypoint, *words)


def _link(path: Path, target: Path) -> None:
    if path.is_dir():
        path.rmdir()  # the image's own, which the mount hides
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _signal(name: str | None) -> signal.Signals | None:
    return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"] if name else None
