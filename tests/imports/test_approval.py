"""A load that a person has to approve: what is asked, what is answered, and what becomes of the customers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from customer_import.errors import DataQualityError
from customer_import.runs.approvals import Planned, read_approval
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.approval import answer_approval, ask_approval
from customer_import.vocabulary import Answer, ImportType
from sandbox import FaultKind
from tests.imports.scene import on

if TYPE_CHECKING:
    from customer_import.runs.approvals import Approval
    from customer_import.runs.run import Run
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT
AT = datetime(2026, 11, 27, 21, 5, tzinfo=UTC)
LIMIT = 20
"""Customers from which on a share is judged."""


def ask(scene: Scene, run: Run) -> Approval:
    list_accounts(run, scene.engine)
    return ask_approval(run, scene.engine)


def answer(scene: Scene, run: Run, answer: Answer, comment: str = "") -> None:
    by = None if answer is Answer.TIMED_OUT else "anna"
    answer_approval(run, scene.engine, answer, by, AT, comment)


def asked_at_the_bss(scene: Scene) -> int:
    return sum(entry.endpoint.startswith("bss.") for entry in scene.sandbox.requests.entries)


def rename(scene: Scene, *customers: Customer) -> None:
    for number, customer in enumerate(customers):
        scene.edit(customer, companyProfile={"companyName": f"Renamed Example {number}"})


def edit_in_the_bss(scene: Scene, *customers: Customer) -> None:
    bss = scene.bss(DIRECT)
    for customer in customers:
        account = scene.account_of(DIRECT, customer)
        values = account.values | {"phone": "+30 210 0000000"}
        bss.update_account(account, values, account.custom_fields)


@on("sqlite", "postgres")
def test_an_approved_load_does_what_was_shown(scene: Scene):
    old, other, same = scene.sell(DIRECT, 3)
    scene.run(DIRECT)
    scene.sell(DIRECT, 2)
    rename(scene, old)
    scene.edit(other, billingProfile={"defaultAddress": {"phoneNumber": None}})

    run = scene.stage(DIRECT, require_approval=True)
    approval = ask(scene, run)

    assert approval.why == "the run was started so (require_approval)."
    assert approval.planned == Planned(
        create=2,
        update=2,
        overwrite=2,
        unchanged=1,
        changed={"name": 1},
        emptied={"phone": 1, "contact.phone": 1},
    )
    assert approval.is_open
    writes = scene.writes()
    answer(scene, run, Answer.APPROVED)
    assert scene.writes() == writes
    report = scene.finish(scene.load(run))
    assert report.counts() == {"created": 2, "updated": 2, "unchanged": 1}
    assert (report.summary.approval or {})["answer"] == "approved"
    assert (report.summary.approval or {})["by"] == "anna"
    assert same.tenant_id in report.results


@on("sqlite", "postgres")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Answer.REJECTED, "Rejected by anna, 2026-11-27 21:05 UTC: wrong mapping."),
        (Answer.TIMED_OUT, "Nobody answered within 24 hours, until 2026-11-27 21:05 UTC."),
    ],
)
def test_without_approval_nothing_is_written_and_each_result_says_why(
    scene: Scene, given: Answer, said: str
):
    scene.configure(require_approval=True)
    old, same = scene.sell(DIRECT, 2)
    run = scene.stage(DIRECT)
    ask(scene, run)
    answer(scene, run, Answer.APPROVED)
    scene.finish(scene.load(run))
    (new,) = scene.sell(DIRECT)
    rename(scene, old)
    content, writes = scene.content(DIRECT), scene.writes()

    run = scene.stage(DIRECT, scope="changed")
    assert ask(scene, run).why == "the instance asks for it (require_approval)."
    answer(scene, run, given, "wrong mapping" if given is Answer.REJECTED else "")
    scene.expect([new, old], "skipped")
    report = scene.finish(scene.load(run))

    assert report.counts() == {"skipped": 2, "unchanged": 1}
    assert report.of(old).reason_code == report.of(new).reason_code == "not_approved"
    assert report.of(new).reason == (
        f"Not approved. {said} Nothing was written. Approval was needed: the instance asks for it "
        "(require_approval)."
    )
    assert report.of(same).outcome == "unchanged"
    assert scene.content(DIRECT) == content
    assert scene.writes() == writes
    assert report.summary.state == "success"
    assert (report.summary.approval or {})["answer"] == given.value

    scene.expected.clear()
    again = scene.stage(DIRECT, scope="changed")  # who was not approved is read again
    ask(scene, again)
    answer(scene, again, Answer.APPROVED)
    assert scene.finish(scene.load(again)).counts() == {"created": 1, "updated": 1, "unchanged": 1}


@on("sqlite")
def test_a_load_that_was_not_answered_does_not_write(scene: Scene):
    scene.sell(DIRECT, 2)
    run = scene.stage(DIRECT, require_approval=True)
    with pytest.raises(DataQualityError, match="needs an approval that nobody has given"):
        scene.load(run)
    ask(scene, run)
    with pytest.raises(DataQualityError, match="Clear the task approve_load"):
        scene.load(run)
    assert scene.writes() == []


@on("sqlite")
def test_a_cleared_task_asks_again_and_its_earlier_answer_is_void(scene: Scene):
    scene.sell(DIRECT, 2)
    run = scene.stage(DIRECT, require_approval=True)
    ask(scene, run)
    answer(scene, run, Answer.REJECTED)
    scene.load(run)
    assert {row.outcome for row in scene.results(run.key).values()} == {"skipped"}

    assert ask(scene, run).planned.create == 2
    assert scene.results(run.key) == {}
    answer(scene, run, Answer.APPROVED)
    assert scene.finish(scene.load(run)).counts() == {"created": 2}


@on("sqlite")
def test_a_run_that_writes_nothing_asks_nobody(scene: Scene):
    scene.sell(DIRECT, 2)
    scene.run(DIRECT)

    run = scene.stage(DIRECT, require_approval=True)
    assert ask(scene, run).why is None
    assert scene.finish(scene.load(run)).counts() == {"unchanged": 2}


@on("sqlite")
def test_a_run_asks_about_customers_that_the_bss_refused_to_show(scene: Scene):
    old, _ = scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    rename(scene, old)
    run = scene.stage(DIRECT, require_approval=True)
    scene.strike("bss.accounts.get", FaultKind.READ_ONLY_FIELD, limit=1)
    approval = ask(scene, run)
    assert approval.why is not None
    assert (approval.planned.unknown, approval.planned.unchanged) == (1, 1)
    with pytest.raises(DataQualityError):
        scene.load(run)


@on("sqlite")
@pytest.mark.parametrize("mode", ["preview", "discover"])
def test_what_writes_nothing_by_its_mode_asks_nobody(scene: Scene, mode: str):
    scene.sell(DIRECT, 2)
    run = scene.stage(DIRECT, require_approval=True, mode=mode)
    assert ask_approval(run, scene.engine).why is None
    if mode == "preview":
        assert scene.finish(scene.load(run)).counts() == {"would_create": 2}


@on("sqlite")
@pytest.mark.parametrize(("edited", "asks"), [(LIMIT // 4, True), (LIMIT // 5, False)])
def test_a_run_that_overwrites_too_many_asks_by_itself(scene: Scene, edited: int, asks: bool):
    customers = scene.sell(DIRECT, LIMIT)
    scene.run(DIRECT)
    rename(scene, *customers[:edited])
    scene.sell(DIRECT, LIMIT)  # new accounts overwrite nothing

    run = scene.stage(DIRECT)
    list_accounts(run, scene.engine)
    before = asked_at_the_bss(scene)
    approval = ask_approval(run, scene.engine)

    if asks:
        assert approval.why == (
            "it would overwrite or empty values of 5 of 20 customers with an account (25.0%), more than the 20 % of "
            "max_overwritten_percent."
        )
        assert approval.planned == Planned(
            create=20, update=5, overwrite=5, unchanged=15, changed={"name": 5}
        )
    else:
        assert approval.why is None
        assert asked_at_the_bss(scene) == before
        assert scene.finish(scene.load(run)).counts()["updated"] == edited


@on("sqlite")
def test_a_run_that_only_fills_in_what_is_empty_does_not_ask_by_itself(scene: Scene):
    customers = scene.sell(DIRECT, LIMIT, billingProfile={"defaultAddress": {"phoneNumber": None}})
    scene.run(DIRECT)
    for customer in customers:
        scene.edit(customer, billingProfile={"defaultAddress": {"phoneNumber": "+30 210 1234567"}})
    run = scene.stage(DIRECT)
    assert ask(scene, run).why is None
    assert scene.finish(scene.load(run)).counts() == {"updated": LIMIT}


@on("sqlite")
def test_a_verifying_run_asks_before_it_overwrites_what_was_edited_in_the_bss(scene: Scene):
    customers = scene.sell(DIRECT, LIMIT)
    scene.run(DIRECT)
    edit_in_the_bss(scene, *customers[:5])

    assert ask(scene, scene.stage(DIRECT)).why is None
    run = scene.stage(DIRECT, scope="verify")
    approval = ask(scene, run)
    assert approval.planned.overwrite == 5
    answer(scene, run, Answer.REJECTED)
    scene.expect(customers, "skipped")
    assert scene.finish(scene.load(run)).counts() == {"skipped": LIMIT}


@on("sqlite")
def test_who_imports_what_a_preview_showed_is_not_asked_for_its_share(scene: Scene):
    customers = scene.sell(DIRECT, LIMIT)
    scene.run(DIRECT)
    rename(scene, *customers)
    preview = scene.stage(DIRECT, mode="preview")
    scene.finish(scene.load(preview))

    run = scene.stage(DIRECT, previewed_run=preview.airflow_run_id)
    assert ask(scene, run).why is None
    asked = scene.stage(DIRECT, previewed_run=preview.airflow_run_id, require_approval=True)
    assert ask(scene, asked).planned.update == LIMIT


@on("sqlite")
def test_what_is_selected_counts_against_all_accounts(scene: Scene):
    customers = scene.sell(DIRECT, LIMIT + 10)
    scene.run(DIRECT)
    rename(scene, *customers[:LIMIT])
    selected = [customer.tenant_id for customer in customers[:5]]
    assert ask(scene, scene.stage(DIRECT, tenants=selected)).why is None


@on("sqlite", "postgres")
def test_what_the_answer_says_is_stored_clean(scene: Scene):
    scene.sell(DIRECT)
    run = scene.stage(DIRECT, require_approval=True)
    ask(scene, run)
    answer(scene, run, Answer.REJECTED, "no\x00 \n way" + "!" * 600)
    approval = read_approval(scene.engine, run.key)
    assert approval is not None
    assert (approval.comment or "").startswith("no")
    assert len(approval.comment or "") <= 500
    assert "\x00" not in (approval.comment or "")
    scene.expect(scene.sandbox.source.customers.values(), "skipped")
    assert scene.finish(scene.load(run)).counts() == {"skipped": 1}
