"""What goes wrong with one customer, or for a moment, is that customer's outcome or nobody's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from customer_import.config.paths import INCLUDE_VARIABLE, include_folder
from customer_import.errors import AuthenticationError
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.imports.scene import on

if TYPE_CHECKING:
    from pathlib import Path

    from tests.imports.scene import Scene

pytestmark = [on("sqlite"), pytest.mark.parametrize("import_type", list(ImportType))]


def test_a_malformed_body_fails_its_customer_only_and_is_made_good_later(
    scene: Scene, import_type: ImportType
):
    broken, *_ = scene.sell(import_type, 3)
    scene.sandbox.source.put(replace(broken, raw=b'\xef\xbb\xbf{"id": "'))
    scene.expect([broken], "failed")

    report = scene.run(import_type)

    assert report.counts() == {"created": 2, "failed": 1}
    assert report.of(broken).reason_code == "extraction_error"
    assert "Run the import again" in report.of(broken).reason

    scene.sandbox.source.put(broken)
    scene.expect([broken], "created")
    assert scene.run(import_type).counts() == {"created": 1, "unchanged": 2}


def test_an_account_that_the_bss_refuses_is_rejected_with_its_reason(
    scene: Scene, import_type: ImportType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A mapping that allows longer cities than the BSS takes."""
    shutil.copytree(include_folder() / "mappings", tmp_path / "include" / "mappings")
    mapping = tmp_path / "include" / "mappings" / "account.yaml"
    mapping.write_text(mapping.read_text().replace("max_length: 100", "max_length: 400"))
    monkeypatch.setenv(INCLUDE_VARIABLE, str(tmp_path / "include"))
    refused, *_ = scene.sell(import_type, 3)
    scene.edit(refused, billingProfile={"defaultAddress": {"city": "Far Away " * 20}})
    scene.expect([refused], "rejected")

    report = scene.run(import_type)

    assert report.counts() == {"created": 2, "rejected": 1}
    result = report.of(refused)
    assert (result.reason_code, result.account_id) == ("bss_refused", None)
    assert "longer than 128" in result.reason
    assert "Far Away" not in result.reason

    scene.edit(refused, billingProfile={"defaultAddress": {"city": "Volos"}})
    scene.expect([refused], "created")
    assert scene.run(import_type).counts() == {"created": 1, "unchanged": 2}


def test_a_refused_sign_in_ends_the_run_before_anything_is_listed_or_written(
    scene: Scene, import_type: ImportType
):
    scene.sell(import_type)
    scene.strike("entra.token", FaultKind.ENTRA_ERROR, code=7000222)
    with pytest.raises(AuthenticationError, match="the client secret has expired"):
        scene.stage(import_type)
    asked = set(scene.sandbox.requests.by_endpoint())
    assert {name for name in asked if not name.startswith("entra.")} == set()


def test_answers_lost_after_the_write_leave_no_duplicate(scene: Scene, import_type: ImportType):
    scene.sell(import_type, 4)
    for endpoint in ("accounts.create", "contacts.create", "sync_options.post"):
        scene.strike(f"bss.{endpoint}", FaultKind.RESET_AFTER, calls=(1, 3))

    report = scene.run(import_type)

    assert report.counts() == {"created": 4}
    assert sum(scene.sandbox.faults.counts.values()) == 6
    assert len(scene.bss(import_type).accounts) == len(scene.bss(import_type).contacts) == 4


def test_customers_who_left_or_are_gone_are_skipped_and_keep_their_accounts(
    scene: Scene, import_type: ImportType
):
    left, gone, _ = scene.sell(import_type, 3)
    scene.run(import_type)
    before = scene.content(import_type)
    scene.change(left, access="left")
    scene.change(gone, access="gone")

    report = scene.run(import_type)

    assert report.counts() == {"skipped": 2, "unchanged": 1}
    reasons = [report.of(customer).reason_code for customer in (left, gone)]
    assert reasons == ["customer_left", "customer_gone"]
    assert scene.content(import_type) == before


def test_throttled_requests_wait_as_told_and_succeed(scene: Scene, import_type: ImportType):
    scene.sell(import_type)  # one customer only: the sandbox knows a repeated POST by its target
    for endpoint in (
        "partner_center.customers.list",
        "partner_center.customers.subscriptions",
        "partner_center.customers.get",
        "bss.accounts.create",
        "bss.contacts.create",
    ):
        scene.strike(endpoint, FaultKind.THROTTLE, calls=(1,), retry_after_s=1)

    report = scene.run(import_type)

    assert report.counts() == {"created": 1}
    waits = scene.sandbox.requests.retry_after
    assert (waits.told, waits.disobeyed) == (5, 0)
