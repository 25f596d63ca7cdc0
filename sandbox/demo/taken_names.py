"""Whether the names of a sandbox's connections are free: what leads to a real service is never written over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.demo.processes import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def refuse_taken_names(
    wanted: Iterable[Mapping[str, Any]], hosts: Mapping[str, str | None]
) -> None:
    """Let connections through whose names Airflow does not have, or has for the same host.

    Args:
        wanted: The sandbox's connections, as ``connections`` gives them.
        hosts: Host of each connection that Airflow has, by its name.

    Raises:
        DemoError: A name is taken; nothing was changed yet.
    """
    for connection in wanted:
        name, host = connection["connection_id"], connection["host"]
        if name in hosts and hosts[name] != host:
            message = (
                f"Airflow has a connection {name} to {hosts[name] or 'no host'}, and this sandbox is at {host}. "
                "Nothing was changed. Hint: rename or delete that connection, or give the sandbox an Airflow of its own"
            )
            raise DemoError(message)
