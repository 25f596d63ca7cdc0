"""Lets a task outlast an outage of the import's own database: it waits, and does its work again.

Every task may be killed at any moment and run again; so one that lost its database may as well, in the same process and
without one of Airflow's retries, which a longer outage needs.

Imported at every parse, like ``customer_import.pipeline.import_dag``; so heavy parts are imported inside.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from customer_import.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

LONGEST_S = 3600.0
"""Of one outage, from its first failure on; then the task fails, and Airflow's retries go on from there."""
WORKED_S = 600.0
"""Who worked for so long between two failures has outlasted the outage; the next failure is another one's first."""
_FIRST_S, _MOST_S = 5.0, 60.0

log = logging.getLogger(__name__)


def outlasting_database(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a task: while the import's database is away, wait for it and begin again, for up to an hour.

    What a person has to correct, such as a refused sign-in, is waited for by nobody.
    """

    @functools.wraps(work)
    def outlasting(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        ends_at, pause_s = None, _FIRST_S
        while True:
            began = time.monotonic()
            try:
                return work(*args, **kwargs)
            except DatabaseError as error:
                now = time.monotonic()
                if now - began > WORKED_S:
                    ends_at, pause_s = None, _FIRST_S
                ends_at = ends_at or now + LONGEST_S
                if not error.is_passing or now + pause_s > ends_at:
                    raise
                log.warning(
                    "%s. The task waits for it and begins again; it gives up in %.0f minutes",
                    str(error).rstrip("."),
                    (ends_at - now) / 60,
                )
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, _MOST_S)

    return outlasting
