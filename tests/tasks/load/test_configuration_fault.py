"""A BSS that insists on what its specification requires, and refusals that no customer can mend."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.config.mapping import ORDERING_FIELDS, load_mappings
from customer_import.config.paths import include_folder
from customer_import.errors import RejectedRequestError
from customer_import.tasks.load.outcome import Configured, verdict_of
from sandbox import SandboxConfig, SandboxServer
from tests.tasks.load.scene import Scene, customers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    config = SandboxConfig(customers=5, resellers=2, requires_ordering_fields=True)
    with SandboxServer(config) as server:
        yield server


def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """Take a field out of the profile ``standard``."""
    folder = shutil.copytree(include_folder(), tmp_path / "include")
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(folder))
    path = folder / "mappings" / "ordering_options.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content["profiles"]["standard"][field]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.parametrize("profile", sorted(load_mappings().ordering_options))
def test_a_strict_bss_takes_the_accounts_of_every_shipped_profile(scene: Scene, profile: str):
    run = scene.run(customers(2), ordering_options=profile)
    assert scene.outcomes(run) == ["created", "created"]
    assert scene.faults() == {}


def test_every_shipped_profile_names_every_ordering_field_but_what_is_the_organisations_own():
    needed = {"title", *ORDERING_FIELDS} - {"paymentMethod"}
    for profile in load_mappings().ordering_options.values():
        assert set(profile.model_dump(exclude_none=True)) == needed


def test_a_field_that_the_profile_lacks_is_named_and_the_customer_is_not_blamed(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    customer = customers(1)[0]
    with monkeypatch.context() as lacking:
        without(tmp_path, lacking, "billingFrequencyMarkup")
        run = scene.run([customer])
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("failed", "configuration")
    assert "the profile 'standard' does not name it" in result.reason
    assert "billingFrequencyMarkup" in result.reason
    assert "Partner Center" not in result.reason
    assert scene.accounts == []

    assert scene.outcomes(scene.run([customer])) == ["created"]  # the profile was corrected
    assert scene.faults() == {}


def test_a_run_without_profile_is_told_to_name_one(scene: Scene):
    scene.configure(ordering_options=None)
    customer = customers(1)[0]
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert result.reason_code == "configuration"
    assert (
        "the run has no ordering-options profile: name one by bss.ordering_options" in result.reason
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("noteType",), "the profile 'standard' has the value 1"),
        (("CreditLimit",), "the profile 'standard' has the value 0"),
        (("taxable",), "the profile 'standard' has the value true"),
        (("responsibleUserId",), "Correct bss.responsible_user or bss.accepts_responsible_user"),
        (("customFields[0].value",), "Correct bss.tenant_marker_field of the instance default"),
        (("email",), "Correct the customer in Partner Center"),
        ((), "Correct the customer in Partner Center"),
    ],
)
def test_a_refusal_blames_whoever_gave_the_field(fields: tuple[str, ...], said: str):
    profile: Any = load_mappings().ordering_profile("standard")
    error = RejectedRequestError(
        "no", service="BSS", endpoint="POST /api/accounts", status=400, fields=fields
    )
    verdict = verdict_of(error, Configured("default", "standard", profile))
    assert said in verdict.reason
