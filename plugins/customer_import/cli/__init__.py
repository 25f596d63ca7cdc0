"""The command ``customer-import``."""
