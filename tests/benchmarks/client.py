"""One measured client: imports everything, then measures one subject; prints its figures as JSON.

``python -m tests.benchmarks.client SUBJECT OPTIONS`` where options are a JSON object.
"""

from __future__ import annotations

import importlib
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBJECTS = {
    "extract": "tests.benchmarks.ours:extract",
    "stage": "tests.benchmarks.ours:stage",
    "load": "tests.benchmarks.ours:load",
    "bodies": "tests.benchmarks.ours:bodies",
    "recurring": "tests.benchmarks.ours:recurring",
    "fill": "tests.benchmarks.ours:fill",
    "validate": "tests.benchmarks.ours:validate",
    "transform": "tests.benchmarks.ours:transform",
    "mapping": "tests.benchmarks.ours:mapping",
    "parse": "tests.benchmarks.ours:parse",
    "bare_extract": "tests.benchmarks.peers.bare:extract",
    "bare_load": "tests.benchmarks.peers.bare:load",
    "threads": "tests.benchmarks.peers.threads:extract",
    "sequential": "tests.benchmarks.peers.http_hook:extract",
    "dlt_extract": "tests.benchmarks.peers.dlt_source:extract",
    "dlt_load": "tests.benchmarks.peers.dlt_destination:load",
    "gx": "tests.benchmarks.peers.gx_bare:validate",
    "gx_same_work": "tests.benchmarks.peers.gx_bare:validate_same_work",
    "normalize": "tests.benchmarks.peers.normalize:transform",
}


@contextmanager
def measured(figures: dict[str, Any]) -> Iterator[None]:
    """Measure wall time and CPU time of a block."""
    started, cpu = time.perf_counter(), time.process_time()
    yield
    figures["seconds"] = time.perf_counter() - started
    figures["cpu_s"] = time.process_time() - cpu


def _peak_mb() -> float:
    """Of this program alone: getrusage's figure would begin with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    module, _, name = SUBJECTS[sys.argv[1]].partition(":")
    function = getattr(importlib.import_module(module), name)
    figures = function(**orjson.loads(sys.argv[2]))
    figures["peak_mb"] = _peak_mb()
    sys.stdout.write("\n" + orjson.dumps(figures).decode() + "\n")


if __name__ == "__main__":
    main()
