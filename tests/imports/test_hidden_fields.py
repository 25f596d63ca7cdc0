"""What Partner Center shows only with delegated access: hidden is neither absent nor emptied."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.config.paths import include_folder
from customer_import.vocabulary import ImportType
from tests.imports.scene import on, open_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine, Row

    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT
pytestmark = on("sqlite")


@pytest.fixture
def scene(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A partner from whom Partner Center hides what it hides from Microsoft's partners."""
    with open_scene(engine, tmp_path, monkeypatch, hides_without_access=True) as scene:
        yield scene


@pytest.fixture
def map_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change keys of one field of a mapping file."""
    folder = shutil.copytree(include_folder(), tmp_path / "include")
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(folder))

    def change(entity: str, target: str, **keys: object) -> None:
        path = folder / "mappings" / f"{entity}.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["fields"].setdefault(target, {}).update(keys)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")

    return change


def sell(scene: Scene, *, access: bool, **document: Any) -> Customer:
    """A customer whose default domain is its own, so that only the list of domains has the tenant's."""
    (customer,) = scene.sell(
        DIRECT, peculiarity="custom_domain", allowDelegatedAccess=access, **document
    )
    return customer


def prefix_of(customer: Customer) -> str:
    tenant_domain: str = customer.document["customDomains"][-1]
    return tenant_domain.removesuffix(".onmicrosoft.com")


def option_of(scene: Scene, customer: Customer) -> str | None:
    option: str | None = scene.content(DIRECT)[customer.tenant_id][2].get("domainprefix")
    return option


def end_access(scene: Scene, customer: Customer) -> None:
    city = {"defaultAddress": {"city": "Nafplio"}}
    scene.edit(customer, allowDelegatedAccess=False, billingProfile=city)


def warnings_on_domains(row: Row[Any]) -> list[str]:
    return [text for text in row.warnings or () if "domain" in text]


@pytest.mark.parametrize("scope", ["full", "changed"])
def test_a_domain_that_is_hidden_from_now_on_stays_in_the_bss(
    scene: Scene, map_field: Callable[..., None], scope: str
) -> None:
    map_field("sync_options", "Domain prefix", on_empty="clear")
    customer = sell(scene, access=True)
    assert warnings_on_domains(scene.run(DIRECT).of(customer)) == []
    assert option_of(scene, customer) == prefix_of(customer)
    scene.sandbox.source.audit.clear()
    end_access(scene, customer)

    report = scene.run(DIRECT, scope=scope)

    assert report.of(customer).reason == "Changed: billingAddress.city."
    assert option_of(scene, customer) == prefix_of(customer)
    (warning,) = warnings_on_domains(report.of(customer))
    assert "does not show the tenant's domains" in warning
    assert "GDAP" in warning
    assert scene.run(DIRECT).counts() == {"unchanged": 1}


def test_a_domain_that_is_there_no_more_is_told_apart_from_a_hidden_one(
    scene: Scene, map_field: Callable[..., None]
) -> None:
    map_field("sync_options", "Domain prefix", on_empty="clear")
    customer = sell(scene, access=True)
    scene.run(DIRECT)
    scene.edit(customer, customDomains=customer.document["customDomains"][:1])

    report = scene.run(DIRECT)

    assert option_of(scene, customer) in {None, ""}
    assert any("has no onmicrosoft.com domain" in text for text in report.of(customer).warnings)


def test_the_default_domain_gives_the_prefix_of_a_tenant_whose_domains_are_hidden(
    scene: Scene,
) -> None:
    (customer,) = scene.sell(DIRECT, allowDelegatedAccess=False)
    report = scene.run(DIRECT)
    assert option_of(scene, customer) == prefix_of(customer)
    assert warnings_on_domains(report.of(customer)) == []


def test_the_record_of_a_new_customer_gives_its_prefix_when_its_domains_are_hidden(
    scene: Scene,
) -> None:
    scene.sell(DIRECT)
    scene.run(DIRECT)
    customer = sell(scene, access=False)

    report = scene.run(DIRECT, scope="changed")

    assert report.of(customer).outcome == "created"
    assert option_of(scene, customer) == prefix_of(customer)
    assert warnings_on_domains(report.of(customer)) == []
    assert scene.run(DIRECT).counts() == {"unchanged": 2}
    assert option_of(scene, customer) == prefix_of(customer)


def test_a_company_email_that_is_hidden_from_now_on_stays_and_one_that_is_gone_goes(
    scene: Scene, map_field: Callable[..., None]
) -> None:
    map_field("account", "email", source="companyProfile.email", on_empty="clear")
    hidden, gone = (
        sell(scene, access=True, companyProfile={"email": f"info@{name}.example"})
        for name in ("hidden", "gone")
    )
    scene.run(DIRECT)
    end_access(scene, hidden)
    scene.edit(gone, companyProfile={"email": None})

    report = scene.run(DIRECT)

    assert scene.account_of(DIRECT, hidden).values["email"] == "info@hidden.example"
    assert scene.account_of(DIRECT, gone).values.get("email") is None
    said = " ".join(report.of(hidden).warnings)
    assert "or not shown to a partner without delegated access (GDAP)" in said


def test_an_address_with_a_hidden_part_stays_whole(
    scene: Scene, map_field: Callable[..., None]
) -> None:
    line = "companyProfile.address.addressLine1"
    map_field("account", "billingAddress.address", source=line, on_empty="clear")
    company = {"address": {"addressLine1": "1 Harbour Street"}}
    customer = sell(scene, access=True, companyProfile=company)
    scene.run(DIRECT)
    before = scene.account_of(DIRECT, customer).values["billingAddress"]
    assert before["address"] == "1 Harbour Street"
    end_access(scene, customer)

    assert scene.run(DIRECT).counts() == {"unchanged": 1}
    assert scene.account_of(DIRECT, customer).values["billingAddress"] == before

    scene.edit(customer, allowDelegatedAccess=True)
    assert scene.run(DIRECT).counts() == {"updated": 1}
    after = scene.account_of(DIRECT, customer).values["billingAddress"]
    assert (after["address"], after["city"]) == ("1 Harbour Street", "Nafplio")
