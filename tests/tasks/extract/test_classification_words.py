"""What a classification says, to the letter: people act on these sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from customer_import.config.instances import InstanceConfig
from customer_import.decisions.rules import Decision
from customer_import.partner_center.models import ListedTenant, Reseller
from customer_import.runs.verdict import Verdict
from customer_import.tasks.extract.classification import (
    Classification,
    Classifier,
    customer_gone,
    customer_left,
    not_a_tenant,
    not_usable,
)
from customer_import.vocabulary import DecisionKind, ImportType, Outcome, ReasonCode
from tests.tasks.extract.test_classify import (
    A_LOCAL,
    DIRECT,
    INDIRECT,
    OWN,
    STRANGER,
    TENANT,
    TENANT_RESELLER,
    A,
    B,
    classifier,
    classify,
    subscriptions,
)

LEFT_OUT = Classification(
    is_discovered=False,
    text="The instance leaves out the customers of this reseller.",
    excluded_mpn_ids=(A,),
)


def not_ours(text: str) -> Classification:
    return Classification(is_discovered=False, text=text)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), Classification(is_discovered=True, text="Has no counted subscription.")),
        (
            (None,),
            Classification(is_discovered=True, text="No counted subscription carries an MPN ID."),
        ),
        (
            (B, A),
            not_ours(
                f"Every counted subscription carries an MPN ID ({A}, {B}): the customer of a reseller."
            ),
        ),
        (
            (None, B, A),
            Classification(
                is_discovered=True,
                text=f"Some subscriptions carry no MPN ID, others {A}, {B}: in the direct and indirect list.",
                is_in_both_lists=True,
            ),
        ),
    ],
)
def test_what_the_direct_import_says(kinds: tuple, expected: Classification) -> None:
    assert classify(DIRECT, *kinds) == expected


def test_what_the_tenant_reseller_import_says() -> None:
    assert classify(TENANT_RESELLER, A, OWN) == Classification(
        is_discovered=True,
        text=f"A subscription carries the tenant reseller's MPN ID {OWN}.",
        reseller_mpn_id=OWN,
    )
    without = f"No subscription carries the tenant reseller's MPN ID {OWN}."
    assert classify(TENANT_RESELLER, A) == not_ours(without)
    padded = classify(TENANT_RESELLER, OWN, reseller_mpn_id=f" {OWN} ")
    assert padded.reseller_mpn_id == OWN


def alpha(**changes: object) -> Classification:
    values: dict = {
        "is_discovered": True,
        "text": f"Customer of reseller Alpha Cloud (MPN ID {A}).",
        "reseller_mpn_id": A,
        "reseller_name": "Alpha Cloud",
        "found_under": (A,),
    }
    return Classification(**values | changes)


def several(*, is_mixed: bool, excluded: tuple[str, ...] = ()) -> Classification:
    reason = (
        f"This customer is found under 2 resellers: Alpha Cloud (MPN ID {A}) and Beta Cloud (MPN ID {B}). Decide in "
        "Partner Center which one it belongs to, or create the account by hand."
    )
    return Classification(
        is_discovered=True,
        text="Belongs to 2 resellers.",
        verdict=Verdict(Outcome.AMBIGUOUS, ReasonCode.SEVERAL_RESELLERS, reason),
        is_in_both_lists=is_mixed,
        found_under=(A, B),
        excluded_mpn_ids=excluded,
    )


def unknown(*ids: str, is_mixed: bool = False) -> Classification:
    reason = (
        f"The subscriptions carry MPN ID {', '.join(ids)}, which none of your resellers in Partner Center has. Check "
        "the reseller relationship, then run the import again."
    )
    return Classification(
        is_discovered=True,
        text="The MPN ID is of no known reseller.",
        verdict=Verdict(Outcome.SKIPPED, ReasonCode.UNKNOWN_RESELLER, reason),
        reseller_mpn_id=ids[0][:50],
        is_in_both_lists=is_mixed,
        found_under=ids,
        unknown_mpn_ids=ids,
    )


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), not_ours("No counted subscription carries an MPN ID.")),
        ((A,), alpha()),
        ((A_LOCAL, A, STRANGER), alpha()),
        ((None, A), alpha(is_in_both_lists=True)),
        ((B, A), several(is_mixed=False)),
        ((None, B, A), several(is_mixed=True)),
        ((STRANGER, "77"), unknown("77", STRANGER)),
        ((None, "8" * 60), unknown("8" * 60, is_mixed=True)),
    ],
)
def test_what_the_indirect_import_says(kinds: tuple, expected: Classification) -> None:
    assert classify(INDIRECT, *kinds) == expected


def test_what_is_said_of_resellers_and_of_their_customers_that_are_left_out() -> None:
    is_reseller = not_ours("This tenant is a reseller; only its customers are imported.")
    assert classify(INDIRECT, A, tenant=ListedTenant("aaaa")) == is_reseller
    without: dict = {"exclude_reseller_mpn_ids": [f" {A} ", " "]}
    assert classify(INDIRECT, A, **without) == LEFT_OUT
    beta = Classification(
        is_discovered=True,
        text=f"Customer of reseller Beta Cloud (MPN ID {B}).",
        reseller_mpn_id=B,
        reseller_name="Beta Cloud",
        found_under=(B,),
        excluded_mpn_ids=(A,),
    )
    assert classify(INDIRECT, A, B, **without) == beta
    assert classifier(INDIRECT, **without).excluded_mpn_ids == {A, A_LOCAL}
    assert classifier(DIRECT, **without).excluded_mpn_ids == frozenset()
    of_nobody: dict = {"exclude_reseller_mpn_ids": [STRANGER]}
    assert classify(INDIRECT, STRANGER, **of_nobody).excluded_mpn_ids == (STRANGER,)
    assert classify(INDIRECT, STRANGER, "77", **of_nobody) == unknown("77")
    assert classify(INDIRECT, A, B, OWN, exclude_reseller_mpn_ids=[OWN]) == several(
        is_mixed=False, excluded=(OWN,)
    )


def test_a_reseller_without_name_or_mpn_id_is_called_by_what_it_has() -> None:
    resellers = [
        Reseller.model_validate({"id": key, "name": name, "mpnId": mpn_id})
        for key, name, mpn_id in (
            ("eeee", "", "11"),
            ("ffff", "Zeta", None),
            ("gggg", "", "12"),
            ("gggg", "Gamma", "13"),
            ("gggg", "Another", "14"),
        )
    ]
    config = InstanceConfig.model_validate({"title": "Test", "import_types": [INDIRECT]})
    rules = Classifier(INDIRECT, config, resellers)
    nameless = rules.by_relationships(TENANT, ["eeee"])
    assert nameless == Classification(
        is_discovered=True,
        text="Customer of reseller eeee (MPN ID 11).",
        reseller_mpn_id="11",
        reseller_name=None,
        found_under=("11",),
    )
    assert rules.by_relationships(TENANT, ["ffff", "ffff"]) == Classification(
        is_discovered=True,
        text="Customer of reseller Zeta (MPN ID unknown).",
        reseller_mpn_id=None,
        reseller_name="Zeta",
        found_under=("",),
    )
    # Of several names the first of the alphabet, in whatever order they are listed.
    found = rules.by_relationships(TENANT, ["gggg"]).text
    assert found == "Customer of reseller Another (MPN ID 12)."
    assert rules.by_relationships(TENANT, ["nobody"]) == not_ours(
        "No reseller has a relationship with this customer."
    )


def test_another_relationship_is_named() -> None:
    advisor = ListedTenant("tttt", relationship="advisor")
    reason = (
        "The relationship with this customer is 'advisor', not 'reseller'. Ask the customer to accept the reseller "
        "relationship, then run the import again."
    )
    verdict = Verdict(Outcome.SKIPPED, ReasonCode.NOT_A_RESELLER_RELATIONSHIP, reason)
    assert classify(INDIRECT, A, tenant=advisor) == alpha(verdict=verdict)
    stranger = classify(INDIRECT, STRANGER, tenant=advisor)
    assert (stranger.verdict, stranger.unknown_mpn_ids) == (verdict, ())
    related = classifier(INDIRECT).by_relationships(advisor, ["aaaa"])
    assert related == alpha(verdict=verdict)
    for of_us in (ListedTenant("tttt"), ListedTenant("tttt", relationship="")):
        assert classify(INDIRECT, A, tenant=of_us) == alpha()


LEFT = (
    ReasonCode.CUSTOMER_LEFT,
    "Partner Center lists this customer but says that there is no relationship with it any more.",
    "Cannot be told: access is refused.",
)
GONE = (
    ReasonCode.CUSTOMER_GONE,
    "Partner Center lists this customer but no longer has it.",
    "Cannot be told: the customer is gone.",
)


def test_what_is_said_of_who_left_and_of_who_is_gone() -> None:
    for classified, (code, reason, text) in ((customer_left, LEFT), (customer_gone, GONE)):
        verdict = Verdict(Outcome.SKIPPED, code, reason)
        nobody_knew = Classification(is_discovered=True, text=text, verdict=verdict)
        assert classified(None) == nobody_knew
        assert classified(alpha()) == alpha(verdict=verdict)
        stranger = classified(unknown(STRANGER))
        assert (stranger.verdict, stranger.unknown_mpn_ids) == (verdict, ())
        assert classified(LEFT_OUT) is LEFT_OUT


def test_what_is_said_of_an_id_that_is_none_and_of_an_answer_that_is_none() -> None:
    assert not_a_tenant("x") == Classification(
        is_discovered=True,
        text="Cannot be told: the id is not a tenant id.",
        verdict=Verdict(
            Outcome.REJECTED,
            ReasonCode.VALIDATION,
            "Partner Center lists this customer under 'x', which is not a tenant id (GUID). "
            "Ask Microsoft's support to correct the customer.",
        ),
    )
    assert not_usable("500", None) == Classification(
        is_discovered=None,
        text="Cannot be told: there was no usable answer.",
        verdict=Verdict(
            Outcome.FAILED,
            ReasonCode.NOT_CLASSIFIED,
            "Partner Center gave no usable answer (500). It is not known yet whether this import is the customer's. "
            "Run the import again.",
        ),
    )
    verdict = Verdict(
        Outcome.FAILED,
        ReasonCode.EXTRACTION_ERROR,
        "Partner Center gave no usable answer (500). Run the import again.",
    )
    known = not_usable("500", unknown(STRANGER))
    assert (known.verdict, known.unknown_mpn_ids) == (verdict, ())
    assert known.text == unknown(STRANGER).text


def test_one_more_sentence_is_for_who_ends_here() -> None:
    assert alpha().with_more("More.") == alpha()
    assert unknown("77").with_more("") == unknown("77")
    verdict = unknown("77").with_more("More.").verdict
    assert verdict is not None
    assert verdict.reason.endswith("then run the import again. More.")
    assert verdict.outcome is Outcome.SKIPPED


def decision(kind: DecisionKind, **values: object) -> Decision:
    at = datetime(2026, 11, 27, tzinfo=UTC)
    given: dict = {"instance": "default", "subject": "tttt", "kind": kind, "reason": "As agreed"}
    return Decision(**(given | {"id": 1, "by": "ada", "at": at} | values))


def decided(
    import_type: ImportType,
    found: Classification | None,
    *decisions: Decision,
    tenant: ListedTenant = TENANT,
    **instance: object,
) -> Classification | None:
    rules = classifier(import_type, **instance)
    return rules.decide(tenant, found, {each.kind: each for each in decisions})


def test_who_is_excluded_ends_here_if_it_is_the_imports() -> None:
    exclusion = decision(DecisionKind.EXCLUDE)
    verdict = Verdict(Outcome.SKIPPED, ReasonCode.EXCLUDED, exclusion.told())
    assert decided(INDIRECT, alpha(), exclusion) == alpha(verdict=verdict)
    assert alpha(verdict=verdict).is_excluded
    assert not alpha().is_excluded
    assert not unknown("77").is_excluded
    stranger = decided(INDIRECT, unknown("77"), exclusion)
    assert stranger is not None
    assert (stranger.verdict, stranger.unknown_mpn_ids) == (verdict, ())
    assert decided(INDIRECT, LEFT_OUT, exclusion) is LEFT_OUT
    assert decided(INDIRECT, None, exclusion) is None
    assert decided(INDIRECT, alpha()) == alpha()


def test_whose_customer_a_person_decided_it_is() -> None:
    to_alpha = decision(DecisionKind.RESELLER, value=A)
    told = to_alpha.told()
    expected = alpha(text=f"{alpha().text} {told}")
    assert decided(INDIRECT, unknown("77"), to_alpha) == expected
    assert decided(INDIRECT, None, to_alpha) == expected
    assert decided(DIRECT, alpha(), to_alpha) == not_ours(told)
    assert decided(TENANT_RESELLER, alpha(), to_alpha) == not_ours(told)
    reseller = decided(INDIRECT, None, to_alpha, tenant=ListedTenant("aaaa"))
    assert reseller == not_ours("This tenant is a reseller; only its customers are imported.")
    own = decision(DecisionKind.RESELLER, value=OWN)
    assert decided(TENANT_RESELLER, None, own) == Classification(
        is_discovered=True, text=own.told(), reseller_mpn_id=OWN
    )
    left_out = decided(INDIRECT, None, to_alpha, exclude_reseller_mpn_ids=[A])
    assert left_out is not None
    assert left_out.text == f"{LEFT_OUT.text} {told}"
    advisor = decided(INDIRECT, None, to_alpha, tenant=ListedTenant("tttt", relationship="advisor"))
    assert advisor is not None
    assert advisor.verdict is not None
    assert advisor.verdict.reason_code is ReasonCode.NOT_A_RESELLER_RELATIONSHIP


def test_a_reseller_that_nobody_lists_needs_a_name() -> None:
    named = decision(DecisionKind.RESELLER, value="77", reseller_name="Fabrikam")
    assert decided(INDIRECT, None, named) == Classification(
        is_discovered=True,
        text=f"Customer of reseller Fabrikam (MPN ID 77). {named.told()}",
        reseller_mpn_id="77",
        reseller_name="Fabrikam",
        found_under=("77",),
    )
    nameless = decision(DecisionKind.RESELLER, value="77")
    found = decided(INDIRECT, None, nameless)
    reason = (
        f"{nameless.told()} None of your resellers in Partner Center has this MPN ID: correct the decision, or add "
        "the reseller by deciding again with its name. Then run the import again."
    )
    verdict = Verdict(Outcome.SKIPPED, ReasonCode.UNKNOWN_RESELLER, reason)
    assert found == replace(unknown("77"), text=nameless.told(), verdict=verdict)
    excluded = decided(INDIRECT, None, nameless, exclude_reseller_mpn_ids=["77"])
    assert excluded == replace(LEFT_OUT, excluded_mpn_ids=("77",))


def test_statuses_count_in_any_case_and_with_blanks_around() -> None:
    rules = classifier(DIRECT, counted_subscription_statuses=[" Active ", "PENDING"])
    counted = rules.counted(subscriptions("1/active", "2/pending", "3/suspended"))
    assert [item.partner_id for item in counted] == ["1", "2"]
