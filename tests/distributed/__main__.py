"""``python -m tests.distributed``: the three imports in the deployment of the compose file, disturbed in every way.

The exit status is 0 only when every run ended well, both workers loaded, and nothing was lost, duplicated or wrong.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.environment import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from tests.distributed.scene import Scene

_PACE_S = 1.0
_GRACE = "20s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.distributed", description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--away-s", type=float, default=60.0, help="of the API server")
    parser.add_argument("--pace-s", type=float, default=_PACE_S, help="wait of a BSS answer")
    parser.add_argument("--only", default="", help="disturbances whose name contains this")
    parser.add_argument(
        "--speedup", action="store_true", help="measure 1, 2 and 4 workers, undisturbed"
    )
    parser.add_argument("--keep", action="store_true", help="keep databases and logs")
    options = parser.parse_args(arguments)
    for ending in (signal.SIGINT, signal.SIGTERM):  # else what was started would stay behind
        signal.signal(ending, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="customer-import-distributed-"))
    folder.chmod(0o755)  # PostgreSQL's user enters it
    prepare(folder)
    try:
        return (_speedup if options.speedup else _disturbed)(folder, options)
    finally:
        if options.keep:
            print(f"kept: {folder}")  # noqa: T201 - a command line
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _disturbed(folder: Path, options: argparse.Namespace) -> int:
    # Airflow reads its environment at import.
    from sandbox import SandboxConfig
    from tests.distributed.deployment import Deployment
    from tests.distributed.reference import undisturbed
    from tests.distributed.scene import Scene, failed

    started = time.monotonic()
    config = SandboxConfig(customers=options.customers)
    reference = undisturbed(folder, config)
    settings = {"SANDBOX_CUSTOMERS": str(options.customers), "WORKER_GRACE_PERIOD": _GRACE}
    deployment = Deployment(folder, 2, settings)
    with deployment.stack as stack:
        scene = Scene(deployment, deployment.begin(), reference, started=started)
        scene.say(f"the stack is up; {reference.accounts} accounts are to be there in the end")
        twice = workers = 0
        try:
            _run(scene, options)
            workers = len(scene.workers())
            twice = scene.control.written_twice()
            scene.compare()
        except Exception as error:  # noqa: BLE001 - whatever it was, the figures are told
            scene.found.add("wrong", failed(error))
        stack.stop()
    data = deployment.volume / "data"
    scene.compare_bss(SandboxConfig(customers=options.customers, data_dir=data))
    if workers < 2:
        scene.found.add("wrong", f"loads were on {workers} workers only")
    for note in scene.found.notes:
        print(f"    {note}")  # noqa: T201 - a command line
    found = scene.found
    print(  # noqa: T201 - a command line
        f"distributed: workers=2 customers={options.customers} kills={scene.kills} restarts={scene.restarts} "
        f"lost={found.lost} duplicates={found.duplicates} wrong={found.wrong} "
        f"seconds={time.monotonic() - started:.0f} restart_seconds={scene.restart_s:.0f} written_twice={twice}",
        flush=True,
    )
    return 0 if found.is_clean else 1


def _speedup(folder: Path, options: argparse.Namespace) -> int:
    from tests.distributed.speedup import LATENCY_MS, load_seconds

    alone = 0.0
    for workers, seconds in load_seconds(folder, options.customers):
        alone = alone or seconds
        print(  # noqa: T201 - a command line
            f"speedup: workers={workers} customers={options.customers} latency_ms={LATENCY_MS} "
            f"load_seconds={seconds:.1f} ratio={alone / seconds:.2f}",
            flush=True,
        )
    return 0


def _run(scene: Scene, options: argparse.Namespace) -> None:
    from tests.distributed import disturbances

    steps: list[tuple[str, Callable[[Scene], None]]] = [
        ("worker", disturbances.lose_worker),
        ("scheduler", disturbances.kill_scheduler),
        ("redis", partial(disturbances.restart, name="redis")),
        ("postgres", partial(disturbances.restart, name="postgres")),
        ("clear", disturbances.fail_and_clear),
        ("api", partial(disturbances.take_api_server_away, seconds=options.away_s)),
        ("stack", disturbances.stop_and_start),
    ]
    chosen = [step for name, step in steps if options.only in name]
    scene.control.keep_requests()
    scene.pace(options.pace_s)
    scene.trigger()
    for number, step in enumerate(chosen, 1):
        scene.wait_for_share(number / (len(chosen) + 2))
        step(scene)
    scene.pace(0)
    scene.wait_for_end()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
