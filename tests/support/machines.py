"""Several machines in one process: a thread's name begins with that of the machine it plays on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest


def hostname() -> str:
    """Return this thread's machine; Airflow's ``hostname_callable``."""
    return threading.current_thread().name


def run_on_machines(
    monkeypatch: pytest.MonkeyPatch, machines: Sequence[str], task: Callable[[int], object]
) -> None:
    """Run a task on each of the machines at once; it is told its number."""
    callable_path = f"{__name__}.{hostname.__name__}"
    monkeypatch.setenv("AIRFLOW__CORE__HOSTNAME_CALLABLE", callable_path)
    threads = [
        threading.Thread(target=task, args=(number,), name=machine)
        for number, machine in enumerate(machines)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
