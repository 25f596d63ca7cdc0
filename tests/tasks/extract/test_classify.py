"""The rules of the three imports: a table of cases, and properties over any customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_import.config.instances import InstanceConfig
from customer_import.partner_center.models import ListedTenant, Reseller, Subscription
from customer_import.tasks.extract.classification import (
    Classification,
    Classifier,
    customer_left,
)
from customer_import.tasks.extract.selection import ResellerSelection
from customer_import.vocabulary import ImportType, Outcome, ReasonCode

if TYPE_CHECKING:
    import random

    from customer_import.runs.verdict import Verdict

A, A_LOCAL, B, OWN, STRANGER = "4000001", "4000002", "5000001", "6000001", "9999999"
RESELLERS = tuple(
    Reseller.model_validate(item)
    for item in (
        {"id": "AAAA", "name": "Alpha Cloud", "mpnId": A},
        {"id": "aaaa", "name": "Alpha Cloud", "mpnId": A_LOCAL},
        {"id": "bbbb", "name": "Beta Cloud", "mpnId": f" {B} "},
        {"id": "cccc", "name": "Own Cloud", "mpnId": int(OWN)},
    )
)
TENANT = ListedTenant("tttt", "Contoso", "contoso.example", "reseller")
DIRECT, INDIRECT, TENANT_RESELLER = ImportType


def classifier(import_type: ImportType, **instance: object) -> Classifier:
    if import_type is TENANT_RESELLER:
        instance.setdefault("reseller_mpn_id", OWN)
    config = InstanceConfig.model_validate(
        {"title": "Test", "import_types": [import_type]} | instance
    )
    resellers = RESELLERS if import_type is INDIRECT else ()
    return Classifier(import_type, config, resellers)


def subscriptions(*kinds: str | None, status: str = "active") -> list[Subscription]:
    """One subscription per MPN ID; ``mpn/status`` names another status."""
    made = []
    for number, kind in enumerate(kinds):
        mpn_id, _, own_status = (kind or "").partition("/")
        made.append(Subscription(str(number), own_status or status, mpn_id or None))
    return made


def classify(
    import_type: ImportType,
    *kinds: str | None,
    tenant: ListedTenant = TENANT,
    **instance: object,
) -> Classification:
    rules = classifier(import_type, **instance)
    return rules.by_subscriptions(tenant, subscriptions(*kinds))


def verdict_of(found: Classification) -> Verdict:
    """The verdict on a tenant that ends in the extraction."""
    assert found.verdict is not None
    return found.verdict


@pytest.mark.parametrize(
    ("kinds", "direct", "indirect", "tenant_reseller"),
    [
        ((), True, False, False),
        ((None,), True, False, False),
        ((A,), False, True, False),
        ((OWN,), False, True, True),
        ((None, A), True, True, False),
        ((None, OWN), True, True, True),
        ((A, A_LOCAL), False, True, False),
        ((A, OWN), False, True, True),
        ((STRANGER,), False, True, False),
        ((STRANGER, A), False, True, False),
        (("/deleted",), True, False, False),
        ((f"{A}/deleted",), True, False, False),
        ((f"{A}/expired", None), True, False, False),
        ((f"{A}/suspended",), False, True, False),
        ((f"{A}/pending", f"{B}/deleted"), False, True, False),
        ((f"{OWN}/none",), True, False, False),
        ((f"{A}/disabled",), True, False, False),
        ((f"{OWN}/provisioning",), True, False, False),
    ],
)
def test_whose_customer_a_tenant_is(
    kinds: tuple, direct: bool, indirect: bool, tenant_reseller: bool
) -> None:
    found = [classify(import_type, *kinds).is_discovered for import_type in ImportType]
    assert found == [direct, indirect, tenant_reseller]


def test_a_term_that_goes_on_unrenewed_counts_by_its_status_alone() -> None:
    def found(status: str) -> bool:
        term = Subscription("1", status, A, ends_on="2020-01-01", is_renewed=False)
        return classifier(INDIRECT).by_subscriptions(TENANT, [term]).is_discovered is True

    assert (found("active"), found("expired")) == (True, False)


def test_a_reseller_is_nobodys_customer_however_the_import_groups() -> None:
    reseller = ListedTenant("bbbb", "Beta Cloud", "beta.example", "reseller")
    rules = classifier(INDIRECT)
    by_subscriptions = rules.by_subscriptions(reseller, subscriptions(A))
    by_relationships = rules.by_relationships(reseller, ["aaaa"])
    assert by_subscriptions == by_relationships
    assert by_subscriptions.is_discovered is False


def test_a_reseller_without_an_mpn_id_is_found_by_its_relationship_only() -> None:
    nameless = Reseller.model_validate({"id": "dddd", "name": "Delta Cloud", "mpnId": None})
    config = InstanceConfig.model_validate({"title": "Test", "import_types": [INDIRECT]})
    rules = Classifier(INDIRECT, config, (*RESELLERS, nameless))
    found = rules.by_relationships(TENANT, ["dddd"])
    assert (found.is_discovered, found.reseller_name, found.reseller_mpn_id) == (
        True,
        "Delta Cloud",
        None,
    )
    assert rules.by_subscriptions(TENANT, subscriptions(None)).is_discovered is False


@pytest.mark.parametrize(
    ("kinds", "mpn_id", "name"),
    [
        ((A,), A, "Alpha Cloud"),
        ((A_LOCAL, A), A, "Alpha Cloud"),
        ((STRANGER, B), B, "Beta Cloud"),
    ],
)
def test_an_indirect_customer_is_grouped_under_its_reseller(
    kinds: tuple, mpn_id: str, name: str
) -> None:
    found = classify(INDIRECT, *kinds)
    assert found.verdict is None
    assert (found.reseller_mpn_id, found.reseller_name) == (mpn_id, name)


def test_two_resellers_are_ambiguous_and_named() -> None:
    found = classify(INDIRECT, A, B, None)
    outcome, code, reason = verdict_of(found)
    assert (outcome, code) == (Outcome.AMBIGUOUS, ReasonCode.SEVERAL_RESELLERS)
    assert "Alpha Cloud" in reason
    assert "Beta Cloud" in reason
    assert found.is_in_both_lists


def test_two_mpn_ids_of_one_reseller_are_one_reseller() -> None:
    assert classify(INDIRECT, A, A_LOCAL).verdict is None


def test_an_mpn_id_of_no_reseller_is_skipped_by_the_indirect_import_so_that_nobody_is_lost() -> (
    None
):
    found = classify(INDIRECT, STRANGER)
    outcome, code, reason = verdict_of(found)
    assert (outcome, code) == (Outcome.SKIPPED, ReasonCode.UNKNOWN_RESELLER)
    assert STRANGER in reason


@pytest.mark.parametrize("import_type", [DIRECT, INDIRECT])
def test_mixed_subscriptions_are_in_both_lists(import_type: ImportType) -> None:
    assert classify(import_type, None, A).is_in_both_lists
    assert not classify(import_type, A).is_in_both_lists
    assert not classify(import_type, None).is_in_both_lists


@pytest.mark.parametrize("tenant_id", ["aaaa", "bbbb", "cccc"])
def test_a_reseller_is_never_imported(tenant_id: str) -> None:
    found = classify(INDIRECT, A, tenant=ListedTenant(tenant_id))
    assert not found.is_discovered
    assert "is a reseller" in found.text


def test_customers_of_an_excluded_reseller_are_left_out_by_any_of_its_ids() -> None:
    without: dict[str, Any] = {"exclude_reseller_mpn_ids": [A_LOCAL]}
    assert not classify(INDIRECT, A, **without).is_discovered
    both = classify(INDIRECT, A, B, **without)
    assert (both.verdict, both.reseller_mpn_id) == (None, B)
    assert not classify(INDIRECT, STRANGER, exclude_reseller_mpn_ids=[STRANGER]).is_discovered


def test_a_run_takes_only_customers_of_the_resellers_that_it_was_started_for() -> None:
    by_other_id = ResellerSelection([A_LOCAL], RESELLERS)
    assert by_other_id.takes(classify(INDIRECT, A))
    selected = ResellerSelection([A], RESELLERS)
    assert not selected.takes(classify(INDIRECT, B))
    assert not selected.takes(classify(INDIRECT, STRANGER))
    # The other reseller was not selected, but the customer is still under both.
    assert selected.takes(classify(INDIRECT, A, B))
    assert selected.takes(customer_left(None))
    assert ResellerSelection().takes(classify(INDIRECT, B))


@pytest.mark.parametrize("import_type", list(ImportType))
@pytest.mark.parametrize("relationship", ["none", "advisor", "syndication", "microsoft_support"])
def test_another_relationship_is_skipped_when_the_tenant_is_of_this_import(
    import_type: ImportType, relationship: str
) -> None:
    tenant = ListedTenant("tttt", relationship=relationship)
    own, foreign = {
        DIRECT: (None, A),
        INDIRECT: (A, None),
        TENANT_RESELLER: (OWN, None),
    }[import_type]
    found = classify(import_type, own, tenant=tenant)
    assert (found.is_discovered, verdict_of(found).outcome) == (True, Outcome.SKIPPED)
    assert verdict_of(found).reason_code is ReasonCode.NOT_A_RESELLER_RELATIONSHIP
    assert relationship in verdict_of(found).reason
    other = classify(import_type, foreign, tenant=tenant)
    assert (other.is_discovered, other.verdict) == (False, None)


def test_the_counted_statuses_are_the_instances() -> None:
    assert classify(
        INDIRECT, f"{A}/expired", counted_subscription_statuses=["Expired"]
    ).is_discovered
    assert not classify(INDIRECT, A, counted_subscription_statuses=["expired"]).is_discovered


@pytest.mark.parametrize(
    ("reseller_ids", "is_discovered", "outcome", "mpn_id"),
    [
        ([], False, None, None),
        (["bbbb"], True, None, B),
        (["aaaa"], True, None, A),
        (["aaaa", "bbbb"], True, Outcome.AMBIGUOUS, None),
        (["unknown"], False, None, None),
    ],
)
def test_resellers_by_relationship(
    reseller_ids: list, is_discovered: bool, outcome: Outcome | None, mpn_id: str | None
) -> None:
    found = classifier(INDIRECT).by_relationships(TENANT, reseller_ids)
    assert (found.is_discovered, found.reseller_mpn_id) == (is_discovered, mpn_id)
    assert (found.verdict.outcome if found.verdict else None) == outcome


any_subscriptions = st.lists(
    st.builds(
        Subscription,
        id=st.just("x"),
        status=st.sampled_from(
            ["active", "suspended", "pending", "deleted", "expired", "none", ""]
        ),
        partner_id=st.sampled_from([None, A, A_LOCAL, B, OWN, STRANGER]),
    ),
    max_size=6,
)
tenants = st.builds(
    ListedTenant,
    tenant_id=st.sampled_from(["tttt", "aaaa", "bbbb"]),
    relationship=st.sampled_from([None, "reseller", "none", "advisor"]),
)
RULES = {import_type: classifier(import_type) for import_type in ImportType}
COUNTED = ("active", "suspended", "pending")


@settings(max_examples=1000, deadline=None)
@given(tenant=tenants, owned=any_subscriptions)
def test_every_tenant_is_somebodys_and_every_end_has_a_reason(
    tenant: ListedTenant, owned: list[Subscription]
) -> None:
    found = {kind: RULES[kind].by_subscriptions(tenant, owned) for kind in ImportType}
    live = {item.partner_id for item in owned if item.status in COUNTED}
    is_reseller = tenant.tenant_id != "tttt"

    assert found[DIRECT].is_discovered == (not live or None in live)
    assert found[INDIRECT].is_discovered == (bool(live - {None}) and not is_reseller)
    assert found[TENANT_RESELLER].is_discovered == (OWN in live)
    if not is_reseller:
        assert found[DIRECT].is_discovered or found[INDIRECT].is_discovered
        both = found[DIRECT].is_discovered and found[INDIRECT].is_discovered
        assert found[DIRECT].is_in_both_lists == found[INDIRECT].is_in_both_lists == both
    for one in found.values():
        assert one.text
        assert one.verdict is None or all(one.verdict)
        assert one.is_discovered or one.verdict is None
        if one.is_discovered and one.verdict is None:
            assert tenant.relationship in {None, "reseller"}
    indirect = found[INDIRECT]
    if indirect.is_discovered and indirect.verdict is None:
        assert indirect.reseller_mpn_id in live
        assert indirect.reseller_name


@pytest.mark.parametrize("mpn_id", ["7000001", "7000002"])
def test_the_order_of_resellers_decides_nothing(mpn_id: str) -> None:
    """Locations of one reseller may have names of their own, and two resellers the same MPN ID."""
    listed = [
        Reseller.model_validate(item)
        for item in (
            {"id": "dddd", "name": "Delta South", "mpnId": "7000001"},
            {"id": "dddd", "name": "Delta North", "mpnId": "7000002"},
            {"id": "eeee", "name": "Epsilon", "mpnId": "7000002"},
        )
    ]
    config = InstanceConfig.model_validate({"title": "Test", "import_types": [INDIRECT]})
    found = {
        Classifier(INDIRECT, config, each).by_subscriptions(TENANT, subscriptions(mpn_id))
        for each in (listed, listed[::-1])
    }
    assert len(found) == 1


@settings(max_examples=1000, deadline=None)
@given(owned=any_subscriptions, order=st.randoms(use_true_random=False))
def test_the_order_of_subscriptions_decides_nothing(
    owned: list[Subscription], order: random.Random
) -> None:
    shuffled = list(owned)
    order.shuffle(shuffled)
    for rules in RULES.values():
        assert rules.by_subscriptions(TENANT, owned) == rules.by_subscriptions(TENANT, shuffled)
