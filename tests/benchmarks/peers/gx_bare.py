"""The same rules in one bare Great Expectations run over the whole frame, without verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from customer_import.run import open_run
from customer_import.staging.engine import open_engine
from customer_import.transform.reference import read_country_rules, read_organisation
from customer_import.transform.rows import read_customers
from customer_import.transform.selection import select_fields
from customer_import.transform.source import source_frame
from customer_import.validation.account_suite import account_suite
from customer_import.validation.contact_suite import contact_suite
from customer_import.validation.country_checks import CountryChecks
from customer_import.validation.customer_suite import customer_suite
from customer_import.validation.expectations import SuiteRunner
from customer_import.validation.rules import Chunk
from tests.benchmarks.client import measured

if TYPE_CHECKING:
    import pandas as pd


def validate(folder: str, database: str, run: int) -> dict[str, Any]:
    engine = open_engine(f"sqlite:///{database}")
    opened = open_run(engine, run)
    organisation = read_organisation(engine, run)
    checks = CountryChecks(read_country_rules(engine, run), organisation)
    suites = (customer_suite(opened), account_suite(opened, checks), contact_suite(opened))
    (rows,) = read_customers(engine, run, 10_000_000, is_validated=False)
    source = source_frame(rows, opened, organisation)
    chunk = Chunk(
        source=source,
        account=select_fields(source.frame, opened.mappings.account, opened.import_type),
        contact=select_fields(source.frame, opened.mappings.contact, opened.import_type),
        has_billing_profile=np.array([bool(row.has_billing_profile) for row in rows], np.bool_),
    )
    runner = SuiteRunner(suites)
    frames: list[pd.DataFrame] = [suite.frame_of(chunk) for suite in suites]
    figures: dict[str, Any] = {}
    with measured(figures):
        for suite, frame in zip(suites, frames, strict=True):
            runner.run(suite, frame)
    return figures | {"rules": sum(len(suite.rules) for suite in suites)}
