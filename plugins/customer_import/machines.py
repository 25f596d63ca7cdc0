"""Whether a run's tasks have several machines to work on, as far as Airflow's settings say."""

from __future__ import annotations

from airflow.sdk.configuration import conf


def has_several() -> bool:
    """Return whether tasks may be at work on several; of several executors the first is the usual one."""
    usual, *_ = conf.get("core", "executor").split(",")
    return not usual.strip().endswith("LocalExecutor")
