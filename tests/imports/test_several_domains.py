"""A tenant with several onmicrosoft domains: the order of a list decides nothing, and a person is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_import.vocabulary import ImportType
from tests.imports.scene import on

if TYPE_CHECKING:
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT
pytestmark = on("sqlite")


def options(scene: Scene, customer: Customer) -> Any:
    return scene.content(DIRECT)[customer.tenant_id][2]


def test_the_prefix_that_was_written_stays_as_long_as_the_tenant_has_it(scene: Scene) -> None:
    (customer,) = scene.sell(DIRECT, peculiarity="custom_domain")
    own = customer.document["customDomains"][-1]
    prefix, other = own.removesuffix(".onmicrosoft.com"), "aaa.onmicrosoft.com"
    scene.run(DIRECT)
    written = options(scene, customer)
    assert prefix in written.values()
    for domains in ([other, own], [own, other]):
        scene.edit(customer, customDomains=domains)
        row = scene.run(DIRECT).of(customer)
        assert row.outcome == "unchanged"
        assert f"several onmicrosoft.com domains: aaa, {prefix}." in " ".join(row.warnings)
        assert options(scene, customer) == written
    scene.edit(customer, customDomains=["bbb.onmicrosoft.com", other])
    assert scene.run(DIRECT).of(customer).outcome == "updated"
    assert "aaa" in options(scene, customer).values()
