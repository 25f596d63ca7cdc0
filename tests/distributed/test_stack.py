"""The supervisor, with containers of a line of shell each."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.distributed.compose_file import Condition, HealthCheck, Mount, Service
from tests.distributed.container import Health
from tests.distributed.images import Image
from tests.distributed.processes import ProcessId, family
from tests.distributed.stack import Stack, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_IMAGES = {"shell": Image(entrypoint=("/bin/sh", "-c"))}
_FOR_EVER = "while :; do sleep 0.05; done"


@pytest.fixture
def stack(tmp_path) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def make(*services: Service) -> Stack:
        by_name = {service.name: service for service in services}
        made.append(Stack(tmp_path, by_name, {}, images=_IMAGES))
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)


def _service(name: str, script: str, **settings) -> Service:
    kept = Mount("kept", "/kept", is_volume=True)
    return Service(name, "shell", command=(script,), mounts=(kept,), **settings)


def _soon(stack: Stack, is_true: Callable[[], bool]) -> None:
    stack.wait("it was not true", is_true, 10)


def test_a_service_starts_once_what_it_needs_has_ended_well_and_is_healthy(stack, tmp_path) -> None:
    said = tmp_path / "volumes/kept/said"
    check = HealthCheck(("/bin/sh", "-c", "grep -q ready /kept/said"), interval_s=0.05)
    made = stack(
        _service(
            "app",
            f"echo app >> /kept/said; {_FOR_EVER}",
            depends_on={"init": Condition.COMPLETED, "base": Condition.HEALTHY},
        ),
        _service("init", "sleep 0.2; echo init >> /kept/said"),
        _service("base", f"sleep 0.4; echo ready >> /kept/said; {_FOR_EVER}", healthcheck=check),
    )
    made.up(10)
    _soon(made, lambda: said.read_text().split() == ["init", "ready", "app"])


def test_a_failed_or_unhealthy_dependency_ends_the_start_with_its_log(stack) -> None:
    needs = {"base": Condition.COMPLETED}
    with pytest.raises(StackError, match=r"(?s)base-1 ended with status 3:.*no such thing"):
        stack(
            _service("base", "echo no such thing; exit 3"),
            _service("app", _FOR_EVER, depends_on=needs),
        ).up(10)


def test_an_unhealthy_dependency_ends_the_start(stack) -> None:
    check = HealthCheck(("/bin/sh", "-c", "exit 1"), interval_s=0.02, retries=2)
    with pytest.raises(StackError, match="sick-1 is unhealthy"):
        stack(
            _service("sick", _FOR_EVER, healthcheck=check),
            _service("app", _FOR_EVER, depends_on={"sick": Condition.HEALTHY}),
        ).up(10)


def test_health_changes_with_what_the_check_says(stack, tmp_path) -> None:
    well = tmp_path / "volumes/kept/well"
    check = HealthCheck(
        ("/bin/sh", "-c", "test -e /kept/well"), interval_s=0.02, retries=2, timeout_s=1
    )
    made = stack(_service("app", _FOR_EVER, healthcheck=check))
    container = made.one("app")
    container.start()
    _soon(made, lambda: container.health is Health.UNHEALTHY)
    well.touch()
    _soon(made, lambda: container.health is Health.HEALTHY)


@pytest.mark.parametrize(
    ("policy", "code", "is_restarted"),
    [
        ("always", 0, True),
        ("unless-stopped", 1, True),
        ("on-failure", 1, True),
        ("on-failure", 0, False),
        ("no", 1, False),
    ],
)
def test_what_ends_is_started_again_by_its_policy(
    stack, tmp_path, policy: str, code: int, is_restarted: bool
) -> None:
    said = tmp_path / "volumes/kept/said"
    made = stack(_service("app", f"echo x >> /kept/said; exit {code}", restart=policy))
    made.start("app")
    _soon(made, lambda: made.one("app").exit_code is not None)
    if is_restarted:
        _soon(made, lambda: said.read_text().split() == ["x", "x"])
    else:
        until = time.monotonic() + 0.4
        with pytest.raises(StackError):
            made.wait("a restart", lambda: made.one("app").restarts > 0, until - time.monotonic())


def test_a_failing_service_is_tried_a_number_of_times(stack) -> None:
    made = stack(_service("app", "exit 1", restart="on-failure:2"))
    made.start("app")
    with pytest.raises(StackError):
        made.wait("a third restart", lambda: made.one("app").restarts > 2, 1.5)
    assert made.one("app").restarts == 2


def test_a_killed_container_leaves_nothing_behind_and_comes_back(stack, tmp_path) -> None:
    """Also what began a session of its own, and what its parent has left alone."""
    pids = tmp_path / "volumes/kept/pids"
    script = (
        f"setsid sh -c 'echo $$ >> /kept/pids; {_FOR_EVER}' & (sleep 60 & echo $! >> /kept/pids); "
        f"echo $$ >> /kept/pids; {_FOR_EVER}"
    )
    made = stack(_service("app", script, restart="always"))
    made.start("app")
    _soon(made, lambda: pids.exists() and len(pids.read_text().split()) == 3)
    before = [ProcessId.of(int(pid)) for pid in pids.read_text().split()]
    assert made.one("app").kill() >= 3
    assert not [one for one in before if one is not None and one.is_alive]
    _soon(made, lambda: made.one("app").restarts == 1)


def test_a_stop_sends_the_signal_waits_the_grace_and_then_kills(stack, tmp_path) -> None:
    said = tmp_path / "volumes/kept/said"
    made = stack(
        _service(
            "polite",
            f"trap 'sleep 0.1; echo bye >> /kept/said; exit 0' INT; echo up >> /kept/said; {_FOR_EVER}",
            stop_signal="SIGINT",
            restart="always",
        ),
        _service("deaf", f"trap '' TERM; echo up >> /kept/said; {_FOR_EVER}", stop_grace_s=0.3),
    )
    made.up(10)
    _soon(made, lambda: said.exists() and said.read_text().split() == ["up", "up"])
    assert made.stop() == 1
    assert said.read_text().split() == ["up", "up", "bye"]
    assert made.one("deaf").exit_code == -signal.SIGKILL
    with pytest.raises(StackError):
        made.wait("a restart", lambda: made.one("polite").is_running, 0.4)


def test_what_depends_on_another_is_stopped_before_it(stack, tmp_path) -> None:
    said = tmp_path / "volumes/kept/said"
    script = f"trap 'sleep 0.1; echo $HOSTNAME >> /kept/said; exit 0' TERM; touch /kept/said; {_FOR_EVER}"
    made = stack(
        _service("base", script), _service("app", script, depends_on={"base": Condition.STARTED})
    )
    made.up(10)
    _soon(made, said.exists)
    time.sleep(0.1)
    made.stop()
    assert said.read_text().split() == ["app-1", "base-1"]


def test_a_process_is_not_another_one_with_its_number(stack) -> None:
    made = stack(_service("app", _FOR_EVER))
    made.start("app")
    leader = made.one("app")._leader
    assert leader is not None
    assert leader.is_alive
    later = ProcessId(leader.pid, leader.started + 1)
    assert not later.is_alive
    later.send(signal.SIGKILL)
    assert leader.is_alive
    assert leader in family(leader)
