"""One container, as processes of this machine: started, asked for its health, stopped, killed, started again."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sandbox.demo.processes import prepare_child
from tests.distributed.processes import ProcessId, end, family

if TYPE_CHECKING:
    import pwd
    from collections.abc import Mapping
    from pathlib import Path

    from tests.distributed.compose_file import HealthCheck, Service

_FIRST_DELAY_S, _MOST_DELAY_S = 0.1, 60.0
_LASTED_S = 10.0
"""Docker's: the wait before a restart doubles each time, and begins anew once a container lasted this long."""


class Health(Enum):
    """What the health check came to."""

    NONE = "no health check"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Launch:
    """How a container's first process is started; everything with the places of this machine."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    account: pwd.struct_passwd | None
    stop_signal: signal.Signals
    is_signalled_whole: bool
    health_command: tuple[str, ...]


class Container:
    """One container of a service.

    Args:
        service: What the compose file says of it.
        number: From 1.
        launch: How it is started.
    """

    def __init__(self, service: Service, number: int, launch: Launch) -> None:
        self.service = service
        self.name = f"{service.name}-{number}"
        self.launch = launch
        self.exit_code: int | None = None
        self.restarts = 0
        self._is_wanted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._leader: ProcessId | None = None
        self._known: frozenset[ProcessId] = frozenset()
        self._started = 0.0
        self._restart_at = 0.0
        self._delay_s = _FIRST_DELAY_S
        self._probe = _Probe(service.healthcheck, self)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def health(self) -> Health:
        return self._probe.health if self.is_running else Health.STARTING

    def start(self) -> None:
        """Start it; the log goes on."""
        self._is_wanted = True
        self.exit_code = None
        self._process = self.spawn(self.launch.command)
        self._leader = ProcessId.of(self._process.pid)
        self._started = time.monotonic()
        self._probe.begin()

    def spawn(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Start a program in the container."""
        account = self.launch.account
        with self.launch.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.launch.folder,
                env=dict(self.launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=prepare_child,  # noqa: PLW1509 - there are no threads
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )

    def tick(self) -> None:
        """See what became of it; start it again when that is due."""
        if self._process is None:
            if self._is_wanted and self._restart_at and time.monotonic() >= self._restart_at:
                self.restarts += 1
                self.start()
            return
        if self._process.poll() is None:
            self._probe.tick()
            return
        self._ended(self._process.returncode)
        if self._is_wanted and self._is_restarted():
            self._restart_at = time.monotonic() + self._delay_s

    def _is_restarted(self) -> bool:
        if time.monotonic() - self._started > _LASTED_S:
            self._delay_s = _FIRST_DELAY_S
        else:
            self._delay_s = min(2 * self._delay_s, _MOST_DELAY_S)
        policy, _, most = self.service.restart.partition(":")
        if policy == "on-failure":
            return self.exit_code != 0 and (not most or self.restarts < int(most))
        return policy in {"always", "unless-stopped"}

    def begin_stop(self) -> None:
        """Send the signal that ends it in order; its policy does not start it again."""
        self._is_wanted = False
        if self._process is None or self._leader is None:
            return
        self._known = frozenset(family(self._leader))
        whole = self._known if self.launch.is_signalled_whole else {self._leader}
        for process in whole:
            process.send(self.launch.stop_signal)

    def finish_stop(self, deadline: float) -> bool:
        """Wait until its first process has ended, and end what is left; return whether it ended by itself.

        Args:
            deadline: By ``time.monotonic``; after it the first process is killed too.
        """
        if self._process is None:
            return True
        try:
            self._process.wait(max(deadline - time.monotonic(), 0.0))
            is_by_itself = True
        except subprocess.TimeoutExpired:
            is_by_itself = False
        self.kill()
        return is_by_itself

    def kill(self) -> int:
        """End all its processes at once, as the kernel does when memory runs out; return how many there were."""
        if self._process is None or self._leader is None:
            return 0
        count = end(self._leader, self._known)
        self._process.wait()
        self.tick()
        return count

    def remove(self) -> int:
        """End it at once and for good."""
        self._is_wanted = False
        return self.kill()

    def _ended(self, code: int) -> None:
        """The end of a container's first process is the end of all its processes."""
        if self._leader is not None:
            end(self._leader, self._known)
        self._probe.end()
        self._process = self._leader = None
        self._known = frozenset()
        self._restart_at = 0.0
        self.exit_code = code


class _Probe:
    """Asks a container for its health, in the times of its health check."""

    def __init__(self, check: HealthCheck | None, container: Container) -> None:
        self._check = check
        self._container = container
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = self._began = self._next = 0.0
        self._failures = 0
        self.health = Health.NONE

    def begin(self) -> None:
        if self._check is None:
            return
        self.health = Health.STARTING
        self._failures = 0
        self._began = time.monotonic()
        self._next = self._began + self._pause_s

    @property
    def _is_in_start_period(self) -> bool:
        check = self._check
        return check is not None and time.monotonic() - self._began < check.start_period_s

    @property
    def _pause_s(self) -> float:
        check = self._check
        if check is None:
            return 0.0
        is_starting = self._is_in_start_period and self.health is Health.STARTING
        return check.start_interval_s if is_starting else check.interval_s

    def tick(self) -> None:
        if self._check is None:
            return
        now = time.monotonic()
        if self._process is None:
            if now >= self._next:
                self._process = self._container.spawn(self._container.launch.health_command)
                self._asked = now
            return
        code = self._process.poll()
        if code is None and now - self._asked < self._check.timeout_s:
            return
        self.end()
        self._judge(is_well=code == 0)
        self._next = now + self._pause_s

    def _judge(self, *, is_well: bool) -> None:
        if is_well:
            self._failures = 0
            self.health = Health.HEALTHY
        elif not (self._is_in_start_period and self.health is Health.STARTING):
            self._failures += 1
            if self._check is not None and self._failures >= self._check.retries:
                self.health = Health.UNHEALTHY

    def end(self) -> None:
        """End the program that asks."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None and (leader := ProcessId.of(process.pid)):
            end(leader)
        process.wait()


def exit_in_words(code: int | None) -> str:
    """Return what a process ended with."""
    if code is None:
        return "has not ended"
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def tail(path: Path, size: int = 2_000) -> str:
    """Return the end of a log."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(path.stat().st_size - size, 0))
        return log.read().decode(errors="replace")
