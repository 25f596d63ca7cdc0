"""``list_accounts`` and ``load_customers``: the ledger and the exactly-once load."""
