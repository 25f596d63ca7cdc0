"""A run's rows as the tasks would have written them; nothing is extracted or loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from customer_import.database.tables import (
    import_results,
    import_runs,
    run_tasks,
    staged_customers,
)
from customer_import.runs.parameters import RunParams
from customer_import.vocabulary import ImportType
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from customer_import.runs.run import Run


@dataclass
class Book:
    """Writes runs, discovered tenants and results."""

    engine: Engine
    runs: int = 0
    tenants: int = 0

    def begin(self, import_type: ImportType = ImportType.DIRECT, **params: Any) -> Run:
        self.runs += 1
        instance = "reseller" if import_type is ImportType.TENANT_RESELLER else "default"
        return begin_run(
            self.engine,
            import_type.dag_id,
            f"manual__{self.runs}",
            import_type,
            RunParams.parse({"instance": instance, **params}),
            started_by="tests",
        )

    def list(self, run: Run, count: int = 1, *, is_discovered: bool = True) -> list[str]:
        """Stage tenants; return their ids."""
        first, self.tenants = self.tenants, self.tenants + count
        ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(first, self.tenants)]
        rows = [
            {
                "run_id": run.key,
                "tenant_id": tenant_id,
                "position": position,
                "tenant_name": f"Example Company {position}",
                "domain": f"example{position}.onmicrosoft.com",
                "reseller_mpn_id": "4847383",
                "reseller_name": "Example Cloud",
                "state": "fetched",
                "is_discovered": is_discovered,
            }
            for position, tenant_id in enumerate(ids, first)
        ]
        with self.engine.begin() as connection:
            connection.execute(insert(staged_customers), rows)
        return ids

    def record(self, run: Run, tenants: Sequence[str], outcome: str, **columns: Any) -> None:
        fixed = {
            "run_id": run.key,
            "import_type": run.import_type.value,
            "instance": run.params.instance,
            "outcome": outcome,
            "recorded_at": datetime.now(UTC),
        }
        with self.engine.begin() as connection:
            connection.execute(
                insert(import_results),
                [{**fixed, "tenant_id": tenant, **columns} for tenant in tenants],
            )

    def attempt(self, run: Run, task_id: str, **columns: Any) -> None:
        """Write an attempt of a task; without ``seconds`` it never ended."""
        state = "failed" if "error" in columns else "success" if "seconds" in columns else "running"
        row = {"map_index": -1, "attempt": 1, "state": state, "started_at": datetime.now(UTC)}
        with self.engine.begin() as connection:
            connection.execute(
                insert(run_tasks), [{"run_id": run.key, "task_id": task_id, **row, **columns}]
            )

    def lose(self, run: Run, tenant: str) -> None:
        """Delete a result by hand."""
        with self.engine.begin() as connection:
            connection.execute(
                delete(import_results).where(
                    import_results.c.run_id == run.key, import_results.c.tenant_id == tenant
                )
            )

    def results(self, run: Run) -> dict[str, Any]:
        query = select(import_results).where(import_results.c.run_id == run.key)
        with self.engine.connect() as connection:
            return {row.tenant_id: row for row in connection.execute(query)}

    def row(self, run: Run) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(select(import_runs).where(import_runs.c.id == run.key)).one()
