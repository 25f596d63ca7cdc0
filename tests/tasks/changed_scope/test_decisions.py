"""When a run may read only what changed, and how much of the rest it reads again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.bss.models import Organisation
from customer_import.config.instances import PartnerCenterConfig, RetentionConfig
from customer_import.config.notices import NoticesConfig, NotifierConfig
from customer_import.config.schedules import ScheduleConfig
from customer_import.config.targets import OWNER_TARGETS
from customer_import.partner_center.models import ListedTenant, Reseller
from customer_import.runs.fingerprint import differences, fingerprint_of, listed_hash
from customer_import.tasks.extract.due import slice_size
from customer_import.tasks.extract.watermark import Watermark, decide
from customer_import.vocabulary import ImportType, Scope
from tests.tasks.validate.runs import a_run, organisation

if TYPE_CHECKING:
    from customer_import.config.instances import InstanceConfig
    from customer_import.config.mapping import Mappings
    from customer_import.runs.run import Run

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


MPN = "4847383"
OWNERS = "the owners or bill-to accounts"
SETTINGS = "the instance's settings"


def an_instance(bss: dict[str, object] | None = None, **values: object) -> InstanceConfig:
    """The shipped one, which takes owners and bill-to accounts."""
    accepted = dict.fromkeys(
        ("accepts_responsible_user", "accepts_permission_rule", "accepts_bill_to_account"), True
    )
    shipped = a_run().instance
    own = shipped.bss.model_copy(update={**accepted, **(bss or {})})
    return shipped.model_copy(update={"bss": own, **values})


def mapped(**rule: object) -> Mappings:
    """The shipped mapping, with another rule for owners and bill-to account."""
    return a_run().mappings.with_fields(
        lambda target, field: field.model_copy(update=rule) if target in OWNER_TARGETS else field
    )


def changes(before: Run, after: Run, *organisations: Organisation) -> list[str]:
    first, last = organisations or (organisation(), organisation())
    return differences(fingerprint_of(before, first), fingerprint_of(after, last))


@pytest.mark.parametrize(
    "values",
    [
        {"load_batch_size": 1, "title": "Other", "import_types": (ImportType.INDIRECT,)},
        {"exclude_reseller_mpn_ids": (MPN,)},
        {"counted_subscription_statuses": ("pending", "suspended", "active", "active")},
        {"reseller_bss_accounts": {MPN: 900}},
        {"bss": {"concurrency": 1, "ordering_options": "no_ordering"}},
        {"bss": {"responsible_user": "other", "permission_rule": "other"}},
        {"partner_center": PartnerCenterConfig(client_secret_ends=date(2027, 1, 31))},
        {"schedules": {ImportType.DIRECT: ScheduleConfig(cron="@daily")}, "roles": {"a": "see"}},
        {"notices": NoticesConfig(by=(NotifierConfig(notifier="a.B"),))},
        {"retention": RetentionConfig(personal_data_days=1), "hierarchy_refresh_days": 1.0},
    ],
)
def test_settings_that_change_no_customer_that_exists_make_no_run_full(values: dict) -> None:
    for kind in (ImportType.DIRECT, ImportType.INDIRECT):
        before = a_run(kind, instance=an_instance())
        assert changes(before, a_run(kind, instance=an_instance(**values))) == []


def test_what_decides_about_everybody_makes_a_run_full() -> None:
    run = a_run(instance=an_instance())
    other = an_instance(counted_subscription_statuses=("active",))
    mappings = mapped(required=True)
    assert changes(run, a_run(instance=other)) == [SETTINGS]
    assert "the mapping files" in changes(run, a_run(instance=an_instance(), mappings=mappings))
    now = fingerprint_of(run, organisation(), [Reseller.model_validate({"id": "a"})])
    assert differences(fingerprint_of(run, organisation()), now) == ["the resellers"]


def test_the_order_in_which_the_bss_lists_decides_nothing() -> None:
    run, first = a_run(), organisation()
    turned = first.model_copy(
        update={
            "countries": tuple(
                country.model_copy(update={"states": country.states[::-1], "name": "Renamed"})
                for country in first.countries[::-1]
            ),
            "found_options": ("Domain prefix",),
        }
    )
    assert changes(run, run, organisation(), turned) == []
    for update in ({"countries": first.countries[1:]}, {"tenant_marker_field_id": 6}):
        other = organisation().model_copy(update=update)
        assert changes(run, run, organisation(), other) == ["the BSS organisation"]


def test_of_two_countries_or_states_of_one_name_the_same_is_found_in_any_order() -> None:
    states = [{"id": number, "name": "Same", "code": "S"} for number in (10, 11)]
    countries = [
        {"id": number, "name": "Same", "code": "SA", "states": states} for number in (1, 2)
    ]
    body = {"tenant_marker_field_id": 5}
    found = Organisation.model_validate({**body, "countries": countries})
    for country in countries:
        country["states"] = states[::-1]
    turned = Organisation.model_validate({**body, "countries": countries[::-1]})
    assert found.country_ids == turned.country_ids
    assert found.state_ids == turned.state_ids


def owned_by(user_id: int | None) -> Organisation:
    return organisation().model_copy(update={"responsible_user_id": user_id})


@pytest.mark.parametrize(
    ("rule", "owner", "expected"),
    [
        ({"on_update": "keep"}, 99, []),
        ({"on_update": "keep"}, None, []),
        ({"on_update": "keep", "on_empty": "clear"}, 99, []),
        ({"on_update": "keep", "on_empty": "clear"}, None, [OWNERS]),
        ({"on_update": "fill"}, 99, [OWNERS]),
        ({"on_update": "overwrite"}, 99, [OWNERS]),
    ],
)
def test_an_owner_counts_as_far_as_an_update_would_write_it(
    rule: dict, owner: int | None, expected: list
) -> None:
    run = a_run(instance=an_instance(), mappings=mapped(**rule))
    assert changes(run, run, owned_by(71), owned_by(owner)) == expected


@pytest.mark.parametrize(
    ("import_type", "rule", "expected"),
    [
        (ImportType.INDIRECT, "overwrite", [OWNERS]),
        (ImportType.INDIRECT, "keep", []),
        (ImportType.DIRECT, "overwrite", []),
    ],
)
def test_bill_to_accounts_count_for_the_import_that_updates_them(
    import_type: ImportType, rule: str, expected: list
) -> None:
    mappings = a_run().mappings.with_fields(
        lambda target, field: (
            field.model_copy(update={"on_update": rule}) if target == "billToAccountId" else field
        )
    )
    before, after = (
        a_run(import_type, instance=an_instance(reseller_bss_accounts=own), mappings=mappings)
        for own in ({MPN: 1}, {MPN: 2})
    )
    assert changes(before, after) == expected


def test_what_other_imports_and_new_accounts_map_decides_nothing() -> None:
    run = a_run()
    option = run.mappings.sync_options["Reseller (MPN ID)"].model_copy(update={"max_length": 3})
    mappings = run.mappings.model_copy(
        update={
            "ordering_options": {},
            "sync_options": run.mappings.sync_options | {"Reseller (MPN ID)": option},
        }
    )
    assert changes(run, a_run(mappings=mappings)) == []
    indirect = a_run(ImportType.INDIRECT, mappings=mappings)
    assert changes(a_run(ImportType.INDIRECT), indirect) == ["the mapping files"]


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
