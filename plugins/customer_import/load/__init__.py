"""The ledger and the exactly-once load."""
