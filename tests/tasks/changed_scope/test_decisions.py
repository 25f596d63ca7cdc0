"""When a run may read only what changed, and how much of the rest it reads again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.partner_center.models import ListedTenant, Reseller
from customer_import.runs.fingerprint import differences, fingerprint_of, listed_hash
from customer_import.tasks.extract.carry_forward import slice_size
from customer_import.tasks.extract.watermark import Watermark, decide
from customer_import.vocabulary import Scope
from tests.tasks.validate.runs import a_run

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SAME = {"the mapping files": "1"}
WEEK = timedelta(days=7)


def watermark(
    days: float = 1, fingerprint: dict[str, str] = SAME, *, is_in_order: bool = True
) -> Watermark:
    return Watermark(7, NOW - timedelta(days=days), fingerprint, is_in_order)


@pytest.mark.parametrize(
    ("params", "known", "scope", "reason"),
    [
        ({"scope": "changed"}, watermark(), "changed", "changes since run 7 of 2026-04-30"),
        ({"scope": "changed"}, watermark(88), "changed", "changes since"),
        ({"scope": "changed"}, watermark(89), "full", "89 days ago"),
        ({"scope": "changed"}, None, "full", "no complete run"),
        ({"scope": "changed"}, watermark(fingerprint={}), "full", "the mapping files changed"),
        ({"scope": "full"}, watermark(), "full", "asked to read every customer"),
        ({"scope": "changed"}, watermark(-1 / 1440), "changed", "changes since"),
        ({"scope": "changed"}, watermark(-1 / 24), "full", "clock was ahead"),
        ({"scope": "changed"}, watermark(is_in_order=False), "full", "or was set back"),
        ({}, watermark(), "full", "asked to read every customer"),
        ({"scope": "changed", "mode": "discover"}, watermark(), "full", "only discovers"),
    ],
)
def test_the_scope_follows_from_the_last_complete_run(
    params: dict, known: Watermark | None, scope: str, reason: str
) -> None:
    decision = decide(a_run(**params), known, SAME, NOW)
    assert decision.scope == scope
    assert reason in decision.reason
    assert (decision.watermark is not None) == (scope == Scope.CHANGED)


@given(
    population=st.integers(0, 50_000),
    steps=st.lists(st.floats(1, 86_400 * 2), min_size=1, max_size=60),
)
def test_the_slices_of_an_interval_read_everybody_once(population: int, steps: list) -> None:
    moment, total, elapsed = NOW, 0, timedelta()
    for step in steps:
        after = moment + timedelta(seconds=step)
        size = slice_size(population, moment, after, WEEK)
        assert size <= -(-population * step // WEEK.total_seconds()) + 1  # no spike
        total, moment, elapsed = total + size, after, elapsed + timedelta(seconds=step)
    share = elapsed / WEEK
    assert abs(total - population * share) <= 1


def test_after_a_whole_interval_everybody_is_read() -> None:
    assert slice_size(10, NOW - WEEK, NOW, WEEK) == 10


def test_only_what_decides_is_in_the_fingerprint() -> None:
    run = a_run()
    before = fingerprint_of(run, {"countries": []})
    faster = run.instance.model_copy(
        update={
            "load_batch_size": 1,
            "partner_center": run.instance.partner_center.model_copy(update={"concurrency": 1}),
        }
    )
    assert fingerprint_of(a_run(instance=faster), {"countries": []}) == before
    other = run.instance.model_copy(update={"counted_subscription_statuses": ("active",)})
    changed = fingerprint_of(
        a_run(instance=other), {"countries": [1]}, [Reseller.model_validate({"id": "a"})]
    )
    assert differences(before, changed) == [
        "the BSS organisation",
        "the instance's settings",
        "the resellers",
    ]


def test_a_list_item_changes_with_name_domain_relationship_and_resellers() -> None:
    item = ListedTenant("t", "Name", "name.example", "reseller")
    hashes = {
        listed_hash(item),
        listed_hash(ListedTenant("t", "Other", "name.example", "reseller")),
        listed_hash(ListedTenant("t", "Name", "other.example", "reseller")),
        listed_hash(ListedTenant("t", "Name", "name.example", "none")),
        listed_hash(ListedTenant("t", "Name", None, "reseller")),
        listed_hash(item, ["r"]),
    }
    assert len(hashes) == 6
    assert listed_hash(item, ["a", "b"]) == listed_hash(item, ["b", "a"])
