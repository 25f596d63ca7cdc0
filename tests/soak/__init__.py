"""Many imports in a row: ``python -m tests.soak``."""
