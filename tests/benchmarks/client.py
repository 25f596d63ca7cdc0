"""One measured client: imports everything, then measures one subject; prints its figures as JSON.

``python -m tests.benchmarks.client SUBJECT OPTIONS`` where options are a JSON object.
"""

from __future__ import annotations

import importlib
import resource
import sys
import time
from contextlib import contextmanager
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
    "parse": "tests.benchmarks.ours:parse",
    "bare_extract": "tests.benchmarks.peers.bare:extract",
    "bare_load": "tests.benchmarks.peers.bare:load",
    "threads": "tests.benchmarks.peers.threads:extract",
    "sequential": "tests.benchmarks.peers.http_hook:extract",
    "dlt_extract": "tests.benchmarks.peers.dlt_source:extract",
    "dlt_load": "tests.benchmarks.peers.dlt_destination:load",
    "gx": "tests.benchmarks.peers.gx_bare:validate",
    "normalize": "tests.benchmarks.peers.normalize:transform",
}


@contextmanager
def measured(figures: dict[str, Any]) -> Iterator[None]:
    """Measure wall time and CPU time of a block."""
    started, cpu = time.perf_counter(), time.process_time()
    yield
    figures["seconds"] = time.perf_counter() - started
    figures["cpu_s"] = time.process_time() - cpu


def main() -> None:
    module, _, name = SUBJECTS[sys.argv[1]].partition(":")
    function = getattr(importlib.import_module(module), name)
    figures = function(**orjson.loads(sys.argv[2]))
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write("\n" + orjson.dumps(figures).decode() + "\n")


if __name__ == "__main__":
    main()
