"""A creation that broke off: what decisions, previews and approvals make of it, and what is said if it cannot go on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from customer_import import failpoints
from customer_import.database.tables import staged_customers
from customer_import.decisions.rules import Decision, pack
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.planned import count_planned
from customer_import.vocabulary import DecisionKind
from sandbox.bss import errors
from sandbox.bss.validation import Validator
from tests.tasks.load.scene import customers

if TYPE_CHECKING:
    from customer_import.runs.run import Run
    from sandbox.bss.models import Account
    from tests.tasks.load.scene import Customer, Scene

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


class BrokenOffError(Exception):
    """Ends a load at a failpoint."""


def break_off(scene: Scene, customer: Customer, place: str) -> None:
    """Begin to create a customer, and end at a failpoint."""

    def end(failpoint: str) -> None:
        if failpoint == place:
            failpoints.watch(None)
            raise BrokenOffError

    scene.configure(request_timeout_s=0.5)
    run = scene.begin()
    scene.stage(run, [customer])
    failpoints.watch(end)
    with pytest.raises(BrokenOffError):
        scene.load(run)


def decide(scene: Scene, run: Run, customer: Customer, account: Account) -> None:
    """Decide which account the customer of a run is."""
    decision = Decision(
        id=1,
        instance="default",
        subject=customer.tenant_id,
        kind=DecisionKind.LINK,
        value=str(account.id),
        by="ada",
        at=datetime.now(UTC),
    )
    of_run = staged_customers.c.run_id == run.key
    with scene.engine.begin() as connection:
        connection.execute(
            update(staged_customers).where(of_run).values(decisions=pack([decision]))
        )


@pytest.mark.parametrize("mode", ["preview", "import"])
def test_decision_that_an_account_made_before_contradicts_stops_the_customer(
    scene: Scene, mode: str
):
    customer = customers(1)[0]
    other = scene.existing("Entered by hand", None)
    break_off(scene, customer, "after_account_post")
    writes = scene.writes
    run = scene.begin(mode=mode)
    scene.stage(run, [customer])
    decide(scene, run, customer, other)
    scene.load(run)
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("ambiguous", "decision_contradicted")
    assert str(scene.account_of(customer).id) in result.reason
    assert scene.writes == writes


def test_preview_and_approval_count_what_the_import_then_calls_created(scene: Scene):
    customer = customers(1)[0]
    break_off(scene, customer, "before_contact_post")
    said = scene.results(scene.run([customer], mode="preview"))[customer.tenant_id]
    assert said.outcome == "would_create"
    assert str(scene.account_of(customer).id) in said.reason
    run = scene.begin()
    scene.stage(run, [customer])
    list_accounts(run, scene.engine)
    planned = count_planned(run, scene.engine)
    assert (planned.create, planned.update) == (1, 0)
    scene.load(run)
    assert scene.outcomes(run) == ["created"]
    assert scene.faults() == {}


def refuse_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the BSS refuse what contacts are to hold."""

    error = errors.invalid("ContactNotCreatedError", "phone", "This is no phone number.")

    def contact(*_: object) -> dict[str, object]:
        raise error

    monkeypatch.setattr(Validator, "contact", contact)


def test_refusal_of_a_contact_says_that_the_account_was_made(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    customer = customers(1)[0]
    refuse_contacts(monkeypatch)
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("rejected", "bss_refused")
    account_id = scene.account_of(customer).id
    assert f"BSS account {account_id} has been created all the same" in result.reason


def test_refusal_of_a_contact_says_what_was_written_before(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    customer = customers(1)[0]
    scene.run([customer])
    refuse_contacts(monkeypatch)
    changed = customer.having(city="Volos", first_name="Maria")
    result = scene.results(scene.run([changed]))[customer.tenant_id]
    account = scene.account_of(customer)
    assert account.values["billingAddress"]["city"] == "Volos"
    assert result.outcome == "rejected"
    assert f"Written to BSS account {account.id} all the same: account." in result.reason
