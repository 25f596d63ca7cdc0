"""What a run costs when the partner is large: ``python -m tests.large``."""
