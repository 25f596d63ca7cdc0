"""Outcome lines: each customer has one, in the log of the task that decided what became of it.

People read task logs as import results, and search them: fields and their order are the same in every task.
Company names and ids stand there; an e-mail address, a phone number or a person's name never does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results
from customer_import.vocabulary import Outcome

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine

log = logging.getLogger(__name__)

_ROWS = 500


def log_outcomes(engine: Engine, run_key: int, *conditions: ColumnElement[bool]) -> None:
    """Log ``outcome | tenant id | company | account | contact | reason`` of some of a run's results, by outcome.

    Args:
        engine: The import's database.
        run_key: The run.
        conditions: On columns of ``import_results``: which results.
    """
    table = import_results.c
    statement = (
        select(
            table.outcome,
            table.tenant_id,
            table.tenant_name,
            table.account_id,
            table.contact_id,
            table.reason,
        )
        .where(table.run_id == run_key, *conditions)
        .order_by(table.tenant_id)
    )
    header = "outcome | tenant id | company | account | contact | reason"
    with reading(engine) as connection:
        streamed = connection.execution_options(yield_per=_ROWS)
        for outcome in Outcome:
            for row in streamed.execute(statement.where(table.outcome == outcome.value)):
                if header:
                    log.info(header)
                    header = ""
                log.info(
                    "%s | %s | %s | account %s | contact %s | %s",
                    row.outcome,
                    row.tenant_id,
                    row.tenant_name or "-",
                    row.account_id or "-",
                    row.contact_id or "-",
                    row.reason or "",
                )
