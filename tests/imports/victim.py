"""A load in a process of its own that kills itself at a failpoint.

The processes are forked from one that has imported everything once: a fresh interpreter would take seconds a case.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

from customer_import.database.engine import open_engine
from customer_import.failpoints import arm
from customer_import.runs.run import open_run
from tests.support.failpoints import armed
from tests.support.library_run import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

_PROCESSES = multiprocessing.get_context("forkserver")
_PATIENCE_S = 120.0


def kill_load(engine: Engine, run: Run, failpoint: str, attempt: int = 1) -> None:
    """Load a staged run in a process that ends by SIGKILL at ``failpoint``, given as ``name`` or ``name:count``."""
    _PROCESSES.set_forkserver_preload([__name__])
    environment = {**os.environ, **armed(failpoint)}
    url = engine.url.render_as_string(hide_password=False)
    process = _PROCESSES.Process(target=_load, args=(environment, url, run.key, attempt))
    process.start()
    process.join(_PATIENCE_S)
    assert process.exitcode == -signal.SIGKILL, f"{failpoint} was not reached"


def _load(environment: Mapping[str, str], url: str, run_key: int, attempt: int) -> None:
    os.environ.update(environment)
    arm(os.environ)
    engine = open_engine(url)
    load(engine, open_run(engine, run_key), attempt)
