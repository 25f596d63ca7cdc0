"""Which executors have several machines."""

from __future__ import annotations

import pytest

from customer_import.machines import has_several


@pytest.mark.parametrize(
    ("executor", "expected"),
    [
        ("LocalExecutor", False),
        ("airflow.executors.local_executor.LocalExecutor", False),
        ("LocalExecutor,CeleryExecutor", False),
        ("CeleryExecutor,LocalExecutor", True),
        ("CeleryExecutor", True),
        ("KubernetesExecutor", True),
    ],
)
def test_only_the_local_executor_has_one_machine(
    monkeypatch: pytest.MonkeyPatch, executor: str, expected: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert has_several() is expected
