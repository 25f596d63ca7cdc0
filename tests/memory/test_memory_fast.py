"""A short history of each kind of database; ``make memory`` makes long ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.memory.history import History
from tests.memory.world import two_partners
from tests.support.databases import open_databases

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 11), ("postgres", 12)])
def test_what_runs_remember_is_what_a_fresh_import_would_find(
    tmp_path: Path, kind: str, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secret
    with (
        two_partners(tmp_path / "partners", 24) as partners,
        open_databases(kind, tmp_path) as (old, fresh),
    ):
        history = History(partners, old, fresh, rng)
        history.first_imports()
        for _ in range(5):
            history.step()
    assert history.tally.differences == []
    assert history.tally.comparisons > 100
