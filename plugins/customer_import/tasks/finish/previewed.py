"""Compares an import with the preview that it was started from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customer_import.runs.previews import WOULD_WRITE, read_expected

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class PreviewComparison:
    """What became of what a preview said.

    Attributes:
        run: Airflow run id of the preview.
        customers: How many it would create or update.
        otherwise: Those that the import did not treat as it said, by tenant id.
    """

    run: str
    customers: int
    otherwise: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, as the summary stores them."""
        return {
            "run": self.run,
            "customers": self.customers,
            "as_previewed": self.customers - len(self.otherwise),
            "otherwise": len(self.otherwise),
        }


def compare_with_preview(
    connection: Connection, run_key: int, preview_key: int, name: str
) -> PreviewComparison:
    """Compare what an import did with what its preview said, customer by customer and field by field."""
    done = dict(read_expected(connection, run_key))
    said = {
        tenant: expected
        for tenant, expected in read_expected(connection, preview_key)
        if expected.outcome in WOULD_WRITE
    }
    otherwise = (tenant for tenant, one in said.items() if not one.was_done(done.get(tenant)))
    return PreviewComparison(name, len(said), tuple(sorted(otherwise)))
