"""What the three imports leave behind when nothing goes wrong, told by running them through the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType
from tests.chaos.arena import Arena
from tests.chaos.state import BssState, results_of

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import SandboxConfig

_DIRECT, _INDIRECT, _RESELLER = (
    ImportType.DIRECT,
    ImportType.INDIRECT,
    ImportType.TENANT_RESELLER,
)
_ORDERS = ((_DIRECT, _INDIRECT, _RESELLER), (_INDIRECT, _DIRECT, _RESELLER))
"""A tenant that belongs to the direct and the indirect import alike is whose comes first."""


@dataclass(frozen=True)
class Reference:
    """What may be in the end.

    Attributes:
        states: Of the BSS; each account is to be as in one of them.
        outcomes: DAG id, tenant: its outcomes.
        accounts: How many there are.
    """

    states: tuple[BssState, ...]
    outcomes: dict[str, dict[str, frozenset[str]]]
    accounts: int


def undisturbed(folder: Path, config: SandboxConfig) -> Reference:
    """Run the imports in both orders into a sandbox of the same population.

    Raises:
        RuntimeError: One of them did not end well.
    """
    states: list[BssState] = []
    outcomes: dict[str, dict[str, frozenset[str]]] = {kind.dag_id: {} for kind in ImportType}
    with Arena(folder / "reference", config) as arena:
        for order in _ORDERS:
            with arena.case("undisturbed") as case:
                for kind in order:
                    case.run(job := case.job(kind, f"{kind}_undisturbed"))
                    of_kind = outcomes[kind.dag_id]
                    for tenant, outcome in results_of(case.engine, job.run_id).items():
                        of_kind[tenant] = of_kind.get(tenant, frozenset()) | {outcome}
                if case.attempts != len(order) or not case.found.is_clean:
                    message = f"an undisturbed import failed: {case.folder}, {case.found.notes}"
                    raise RuntimeError(message)
            states.append(BssState.of(arena.sandbox))
    accounts = sum(map(len, states[0].accounts.values()))
    return Reference(tuple(states), outcomes, accounts)
