"""Instances and mapping files as frozen models, read from ``include/``; nothing here knows a database or an API."""
