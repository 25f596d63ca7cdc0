"""The same rules in one bare Great Expectations run over one frame of all customers.

Written as its documentation shows: a frame of texts, a suite of expectations about its columns, one
run. What no expectation can say about one column is a column of booleans. Of the result formats with
the rows that break a rule it is the fastest one.

``validate`` is the run alone, in memory, without verdicts; ``validate_same_work`` reads the customers
from the database and writes what is wrong with whom, as ours does. It reads by our own columns, of
which each is the work of one pass over all texts: simpler ones would only make it slower.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import insert

from customer_import.database.engine import open_engine
from customer_import.database.tables import validation_findings
from customer_import.runs.reference_data import read_country_rules, read_organisation
from customer_import.runs.run import open_run
from customer_import.runs.staged_customers import read_customers
from customer_import.tasks.validate.account_suite import account_suite
from customer_import.tasks.validate.contact_suite import contact_suite
from customer_import.tasks.validate.country_checks import CountryChecks
from customer_import.tasks.validate.customer_suite import customer_suite
from customer_import.tasks.validate.validate import _chunk
from tests.benchmarks.client import measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from customer_import.tasks.validate.rules import Rule


def validate(folder: str, database: str, run: int) -> dict[str, Any]:
    frame, rules = _frame_and_rules(open_engine(f"sqlite:///{database}"), run)
    batch_run = _prepared(rules)
    figures: dict[str, Any] = {}
    with measured(figures):
        outcome = batch_run(frame)
    return figures | _counts(outcome, rules, frame)


def validate_same_work(folder: str, database: str, run: int) -> dict[str, Any]:
    copy = Path(tempfile.mkdtemp(dir=folder)) / "peer.db"
    shutil.copy(database, copy)
    engine = open_engine(f"sqlite:///{copy}")
    _prepared([])  # imports the library, as for ours
    figures: dict[str, Any] = {}
    with measured(figures):
        frame, rules = _frame_and_rules(engine, run)
        outcome = _prepared(rules)(frame)
        tenants = frame["tenant.id"].tolist()
        broken = [
            {
                "run_id": run,
                "tenant_id": tenants[row],
                "suite": "customers",
                "rule": result.expectation_config.type,
                "field": result.expectation_config.kwargs["column"],
                "severity": "critical",
                "message": f"{result.expectation_config.kwargs['column']} is not as expected",
            }
            for result in outcome.results
            for row in result.result["unexpected_index_list"] or ()
        ]
        with engine.begin() as connection:
            connection.execute(insert(validation_findings), broken)
    return figures | _counts(outcome, rules, frame) | {"written": len(broken)}


def _prepared(rules: list[Any]) -> Callable[[pd.DataFrame], Any]:
    """Return a run of these rules over a frame."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    silent: Any = {"globally": False, "metric_calculations": False}
    context.variables.progress_bars = silent
    asset = context.data_sources.add_pandas("customers").add_dataframe_asset("customers")
    batches = asset.add_batch_definition_whole_dataframe("all customers")
    suite = context.suites.add(gx.ExpectationSuite(name="customers", expectations=rules))

    def run(frame: pd.DataFrame) -> Any:
        batch = batches.get_batch(batch_parameters={"dataframe": frame})
        return batch.validate(suite, result_format={"result_format": "COMPLETE"})

    return run


def _counts(outcome: Any, rules: list[Any], frame: pd.DataFrame) -> dict[str, int]:
    broken = sum(result.result["unexpected_count"] for result in outcome.results)
    return {"rules": len(rules), "rows": len(frame), "broken": broken}


def _frame_and_rules(engine: Engine, run: int) -> tuple[pd.DataFrame, list[Any]]:
    """Return all customers as one frame, and an expectation for each rule of ours."""
    opened = open_run(engine, run)
    organisation = read_organisation(engine, run)
    checks = CountryChecks(read_country_rules(engine, run), organisation)
    suites = (customer_suite(opened), account_suite(opened, checks), contact_suite(opened))
    frames = []
    for rows in read_customers(engine, run, 10_000, is_validated=False):
        chunk = _chunk(rows, opened, organisation)
        columns: dict[str, Any] = {
            "tenant.id": chunk.source.texts["tenant.id"],
            "tenant.domainPrefix": chunk.source.texts["tenant.domainPrefix"],
            **{f"account.{target}": texts for target, texts in chunk.account.items()},
            **{f"contact.{target}": texts for target, texts in chunk.contact.items()},
        }
        for suite in suites:
            columns = suite.columns_of(chunk) | columns
        frames.append(pd.DataFrame(columns))
    every = pd.concat(frames, ignore_index=True)
    rules = [_plain(rule) for suite in suites for rule in suite.rules]
    columns = dict.fromkeys(["tenant.id", *(rule.column for rule in rules)])
    return every[list(columns)].copy(), rules


def _plain(rule: Rule) -> Any:
    """Return the rule as its expectation, on the text itself where there is one."""
    from great_expectations import expectations

    if rule.name == "max_length":
        longest: Any = rule.expectation.arguments["max_value"]
        return expectations.ExpectColumnValueLengthsToBeBetween(
            column=rule.field, max_value=longest
        )
    if rule.expectation.type == "ExpectColumnValuesToNotBeNull":
        return expectations.ExpectColumnValuesToNotBeNull(column=rule.field)
    return getattr(expectations, rule.expectation.type)(**rule.expectation.arguments)
