"""What tasks do at their edge: a run is not closed while its tasks are at work again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.sdk.execution_time.context import set_current_context

from customer_import.pipeline.task_run import wait_for_cleared

ENDED = {"start_run": "success", "load_customers_0": "failed", "approve_load": "skipped"}


@pytest.mark.parametrize("state", [None, "scheduled", "queued", "running", "up_for_retry"])
def test_a_run_with_a_cleared_task_is_closed_later(
    state: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    context = cast("Any", {"ti": SimpleNamespace(task_id="finish_run")})
    with set_current_context(context):
        wait_for_cleared(ENDED | {"finish_run": "running"})
        with pytest.raises(AirflowRescheduleException):
            wait_for_cleared(ENDED | {"finish_run": "running", "load_customers_1": state})
