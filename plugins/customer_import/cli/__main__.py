"""``python -m customer_import.cli``: the command where its script is not installed."""

from __future__ import annotations

from customer_import.cli.main import app

app(prog_name="customer-import")
