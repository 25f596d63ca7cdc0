"""The extraction against the sandbox, compared with the sandbox's own truth, tenant by tenant."""

from __future__ import annotations

from customer_import.partner_center.extract import extract_customers
from customer_import.words import ImportType
import pytest

@pytest.mark.parametrize("t", list(ImportType))
def test_smoke(make_run, make_hook, engine, t):
    run = make_run(t)
    print(extract_customers(run, engine, make_hook()))
