"""A preview says, field by field, what an import would do; *import exactly these* does it, and nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import name_beginnings, staged_customers
from customer_import.errors import ConfigurationError, DataQualityError
from customer_import.runs.previews import WOULD_WRITE, read_expected
from customer_import.runs.run import record_run
from customer_import.tasks.retention import purge
from customer_import.text import fold
from customer_import.vocabulary import ImportType, Outcome
from sandbox.config import CustomerClass
from tests.imports.scene import on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from customer_import.runs.previews import Expected
    from sandbox.population.models import Customer
    from tests.imports.scene import Report, Scene

DIRECT, INDIRECT = ImportType.DIRECT, ImportType.INDIRECT
EDITS: tuple[dict[str, Any], ...] = (
    {"defaultAddress": {"city": "Volos"}},
    {"defaultAddress": {"phoneNumber": None}},
    {"email": "billing@example.com"},
    {"lastName": "Papadopoulou"},
    {"defaultAddress": {"addressLine1": "Ermou 1", "postalCode": "105 63"}},
)
CUSTOMERS = int(os.environ.get("PREVIEW_CUSTOMERS", "100"))


def city(name: str) -> dict[str, Any]:
    return {"billingProfile": {"defaultAddress": {"city": name}}}


def edit_city(scene: Scene, customer: Customer, name: str) -> None:
    """Change a customer's city in the BSS, as a person does there."""
    account, bss = scene.account_of(DIRECT, customer), scene.bss(DIRECT)
    address = account.values["billingAddress"] | {"city": name}
    bss.update_account(account, account.values | {"billingAddress": address}, account.custom_fields)


def said(scene: Scene, report: Report) -> dict[str, Expected]:
    with reading(scene.engine) as connection:
        return dict(read_expected(connection, report.summary.run_key))


def import_previewed(scene: Scene, preview: Report, **params: Any) -> Report:
    return scene.run(DIRECT, previewed_run=preview.summary.airflow_run_id, **params)


def skip(scene: Scene, customers: Iterable[Customer]) -> None:
    scene.expect(customers, "skipped")


@on("sqlite", "postgres")
def test_the_import_of_a_preview_does_what_it_said_and_nothing_else(scene: Scene):
    moved, edited, same = scene.sell(DIRECT, 3)
    scene.run(DIRECT)
    (new,) = scene.sell(DIRECT)
    scene.edit(moved, **city("Volos"))
    edit_city(scene, edited, "Larissa")
    preview = scene.run(DIRECT, mode="preview", scope="verify")
    assert preview.counts() == {"would_create": 1, "would_update": 2, "unchanged": 1}
    assert preview.summary.fields["changed"] == {"billingAddress.city": 2}
    (later,) = scene.sell(DIRECT)
    scene.expect([later], None)
    scene.expect([same], None)

    report = import_previewed(scene, preview)

    assert report.counts() == {"created": 1, "updated": 2}
    assert set(report.results) == {moved.tenant_id, edited.tenant_id, new.tenant_id}
    assert report.summary.preview == {
        "run": preview.summary.airflow_run_id,
        "customers": 3,
        "as_previewed": 3,
        "otherwise": 0,
    }
    assert report.summary.fields == preview.summary.fields


@on("sqlite")
def test_who_changed_since_the_preview_is_skipped_and_said(scene: Scene):
    mended, edited, taken, gone, left = everybody = scene.sell(DIRECT, 5)
    scene.expect([taken], None)
    scene.run(DIRECT, tenants=[one.tenant_id for one in (mended, edited, gone, left)])
    for one in (mended, edited, gone, left):
        scene.edit(one, **city("Volos"))
    scene.expected.clear()
    preview = scene.run(DIRECT, mode="preview")
    assert preview.counts() == {"would_create": 1, "would_update": 4}
    scene.edit(mended, **city("Patras"))
    edit_city(scene, edited, "Larissa")
    bss = scene.bss(DIRECT)
    bss.create_account({"name": "By hand"}, {bss.setup.tenant_marker.id: taken.tenant_id}, "test")
    del bss.accounts[scene.account_of(DIRECT, gone).id]
    del scene.sandbox.source.customers[left.tenant_id]
    written = len(scene.writes())
    skip(scene, everybody)
    scene.expect([gone], "failed")

    report = import_previewed(scene, preview, max_failed_percent=100)

    rows = [report.of(one) for one in (mended, edited, taken)]
    assert {row.reason_code for row in rows} == {"changed_since_preview"}
    assert "gives other values" in rows[0].reason
    assert "The BSS holds other values: billingAddress.city." in rows[1].reason
    assert "has a BSS account by now" in rows[2].reason
    assert report.summary.preview is not None
    assert report.summary.preview["otherwise"] == 5
    assert len(scene.writes()) == written


@on("sqlite")
def test_a_preview_that_cannot_be_imported_is_refused_in_words(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    imported = scene.run(DIRECT)
    nothing = scene.run(DIRECT, mode="preview")
    scene.edit(customer, **city("Volos"))
    preview = scene.run(DIRECT, mode="preview")
    written = len(scene.writes())

    def refused(run_id: str, **params: Any) -> str:
        with pytest.raises(ConfigurationError) as error:
            scene.run(DIRECT, previewed_run=run_id, **params)
        return str(error.value)

    assert "has no such run" in refused("manual__nowhere")
    assert "is no preview" in refused(imported.summary.airflow_run_id)
    assert "nothing to create or update" in refused(nothing.summary.airflow_run_id)
    name = preview.summary.airflow_run_id
    assert "names the customers" in refused(name, tenants=[customer.tenant_id])
    assert "names the customers" in refused(name, mode="preview")
    purge(scene.engine, 1, datetime.now(UTC) + timedelta(days=2))
    assert "were removed because of their age" in refused(name)
    assert len(scene.writes()) == written


@on("sqlite")
def test_a_preview_that_is_begun_again_while_it_is_imported_leaves_nobody_unchecked(scene: Scene):
    scene.sell(DIRECT, 2)
    preview = scene.stage(DIRECT, mode="preview")
    scene.finish(scene.load(preview))
    run = scene.stage(DIRECT, previewed_run=preview.airflow_run_id)
    record_run(
        scene.engine, preview.dag_id, preview.airflow_run_id, DIRECT, preview.params, "tests"
    )
    with pytest.raises(DataQualityError, match=r"said of 2 customers was removed .* new preview"):
        scene.load(run)
    assert scene.writes() == []


@on("sqlite")
def test_a_customer_of_both_lists_is_said_as_such_before_anybody_imports_it(scene: Scene):
    (both,) = scene.sell(CustomerClass.DIRECT)
    scene.resubscribe(both, None, scene.resellers[-1].mpn_id)

    for kind in (DIRECT, INDIRECT):
        reason = scene.run(kind, mode="preview").of(both).reason
        assert "direct and indirect import both find it" in reason
    scene.run(DIRECT)
    assert scene.run(INDIRECT, mode="preview").of(both).reason_code == "already_imported"


@on("sqlite")
def test_what_a_preview_lists_is_what_the_import_applies(scene: Scene):
    """Of many customers 5 % changed in Partner Center, 2 % in the BSS, 1 % are namesakes, 1 % of both lists."""
    percent = CUSTOMERS // 100
    customers = scene.sell(DIRECT, CUSTOMERS)
    scene.run(DIRECT)
    changed, edited = customers[: 5 * percent], customers[5 * percent : 7 * percent]
    for number, customer in enumerate(changed):
        scene.edit(customer, billingProfile=EDITS[number % len(EDITS)])
    for customer in edited:
        edit_city(scene, customer, "Larissa")
    namesakes, both = scene.sell(DIRECT, percent), scene.sell(DIRECT, percent)
    for customer in namesakes:
        name = customer.document["companyProfile"]["companyName"]
        scene.bss(DIRECT).create_account({"name": name}, {}, "test")
    for customer in both:
        scene.resubscribe(customer, None, scene.resellers[-1].mpn_id)
    scene.expect(namesakes, "ambiguous")
    before, written = everything(scene), len(scene.writes())

    preview = scene.run(DIRECT, mode="preview", scope="verify")

    assert (everything(scene), len(scene.writes())) == (before, written)
    assert preview.counts() == {
        "would_create": percent,
        "would_update": 7 * percent,
        "unchanged": CUSTOMERS - 7 * percent,
        "ambiguous": percent,
    }
    listed = {
        (tenant, name): one.before.get(name)
        for tenant, one in said(scene, preview).items()
        for name in one.fields
        if one.outcome is Outcome.WOULD_UPDATE
    }
    others = {
        one.tenant_id
        for one in (*customers, *namesakes, *both)
        if preview.of(one).outcome not in WOULD_WRITE
    }
    scene.expect((one for one in (*customers, *namesakes) if one.tenant_id in others), None)

    report = import_previewed(scene, preview)

    after = everything(scene)
    applied = {
        (tenant, name): values.get(name)
        for tenant, values in before.items()
        for name in values.keys() | after[tenant].keys()
        if values.get(name) != after[tenant].get(name)
    }
    assert applied == listed
    assert len(applied) > 7 * percent
    assert after.keys() - before.keys() == {one.tenant_id for one in both}
    records = {(tenant, name.startswith("contact.")) for tenant, name in applied}
    assert len(scene.writes()) - written == len(records) + 3 * percent  # account, contact, options
    assert report.summary.preview is not None
    assert report.summary.preview["as_previewed"] == 8 * percent
    print(  # noqa: T201 - the figures of a large run
        f"{CUSTOMERS} customers: preview {preview.counts()}, 0 writes; {len(listed)} differences listed, "
        f"{len(applied)} applied; import {report.counts()}, {len(scene.writes()) - written} writes; "
        f"{report.summary.preview}"
    )


def everything(scene: Scene) -> dict[str | None, dict[str, Any]]:
    """What the BSS holds of every marked account: each field by the name that results use."""
    bss = scene.bss(DIRECT)
    found = {}
    for account in bss.accounts.values():
        if not bss.marker(account):
            continue
        values = dict(account.values)
        address = values.pop("billingAddress", {})
        (contact,) = bss.contacts_of(account.id)
        found[bss.marker(account)] = (
            values
            | {f"billingAddress.{name}": value for name, value in address.items()}
            | {f"contact.{name}": value for name, value in contact.values.items()}
            | dict(bss.sync_options.get((account.id, bss.setup.microsoft.id), {}))
        )
    return found


def test_the_first_import_without_a_preview_says_so_in_its_log(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    scene.run(DIRECT, mode="preview")
    scene.run(DIRECT)
    assert "nobody has made a preview" not in caplog.text
    scene.run(INDIRECT)
    assert "This is the first indirect import of instance" in caplog.text
    caplog.clear()
    scene.run(INDIRECT)
    assert "nobody has made a preview" not in caplog.text


def test_whom_a_run_has_listed_is_found_by_a_word_of_its_name(scene: Scene) -> None:
    scene.run(DIRECT, mode="discover")
    with reading(scene.engine) as connection:
        names = select(staged_customers.c.tenant_id, staged_customers.c.tenant_name)
        for tenant_id, name in connection.execute(names.limit(20)):
            word = name.split()[-1].upper()
            found = select(name_beginnings.c.tenant_id).where(
                name_beginnings.c.beginning.startswith(fold(word), autoescape=True)
            )
            assert tenant_id in connection.execute(found).scalars().all()
