"""A task's sign of life: a moment in its row, renewed while its process lives, so that a dead worker is seen early.

Airflow itself notices one after minutes only, and starts the task again then.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from customer_import.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEAT_S = 8.0
SILENT_AFTER = timedelta(seconds=25)
"""Three beats that did not come."""

_log = logging.getLogger(__name__)


@contextmanager
def beating(beat: Callable[[], None], every_s: float = BEAT_S) -> Iterator[None]:
    """Call ``beat`` every few seconds, in a thread of its own, until the block ends.

    Args:
        beat: Stores a sign of life. A database that is away is no reason to end a task: the next beat tries again.
        every_s: Seconds between two beats; the first comes after as many.
    """
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(every_s):
            try:
                beat()
            except (SQLAlchemyError, DatabaseError) as error:
                _log.debug("No sign of life could be stored: %s", error)

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(every_s)
