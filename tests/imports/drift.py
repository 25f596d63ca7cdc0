"""Plants drift among imported customers, one kind at a time, as it comes about in the two services and the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from customer_import.database.tables import tenant_links
from customer_import.vocabulary import DriftKind, ImportType

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.bss.models import Account
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT


def edit_account(scene: Scene, account: Account, **values: Any) -> None:
    """Change fields of an account, as a person does in the BSS."""
    bss = scene.bss(DIRECT)
    address = account.values["billingAddress"] | values.pop("billingAddress", {})
    bss.update_account(
        account, account.values | {"billingAddress": address} | values, account.custom_fields
    )


def mark(scene: Scene, account: Account, marker: str | None) -> None:
    """Enter something in the tenant id field of an account, or remove what is there."""
    bss = scene.bss(DIRECT)
    number = bss.setup.tenant_marker.id
    others = {key: value for key, value in account.custom_fields.items() if key != number}
    bss.update_account(account, account.values, others | ({number: marker} if marker else {}))


def delete_contact(scene: Scene, number: int) -> None:
    bss = scene.bss(DIRECT)
    contact = bss.contacts.pop(number)
    bss._contacts_of[contact.account_id].remove(number)


def remove_account(scene: Scene, customer: Customer) -> None:
    bss = scene.bss(DIRECT)
    account = scene.account_of(DIRECT, customer)
    for contact in bss.contacts_of(account.id):
        delete_contact(scene, contact.id)
    del bss.accounts[account.id]


def double_marker(scene: Scene, customer: Customer) -> None:
    bss = scene.bss(DIRECT)
    twin = bss.create_account({"name": f"Copy of {customer.tenant_id}"}, {}, "test")
    mark(scene, twin, customer.tenant_id)


def lose_account(scene: Scene, customer: Customer) -> None:
    """Leave the link of a creation whose answer was lost."""
    lost = {"account_id": None, "contact_id": None, "content_hash": None, "account_step": "intent"}
    with scene.engine.begin() as connection:
        connection.execute(
            update(tenant_links).where(tenant_links.c.tenant_id == customer.tenant_id).values(lost)
        )


def set_option(scene: Scene, customer: Customer) -> None:
    bss = scene.bss(DIRECT)
    key = (scene.account_of(DIRECT, customer).id, bss.setup.microsoft.id)
    (alias, *_) = bss.sync_options[key]
    bss.set_sync_options(*key, {alias: "somebodyelse"})


PLANT: dict[DriftKind, Callable[[Scene, Customer], None]] = {
    DriftKind.CUSTOMER_GONE: lambda scene, one: scene.sandbox.source.remove(one.tenant_id),
    DriftKind.LINK_WITHOUT_ACCOUNT: lose_account,
    DriftKind.ACCOUNT_GONE: remove_account,
    DriftKind.MARKER_DIFFERS: lambda scene, one: mark(
        scene, scene.account_of(DIRECT, one), "11111111-2222-3333-4444-555555555555"
    ),
    DriftKind.MARKER_DOUBLED: double_marker,
    DriftKind.MARKER_REMOVED: lambda scene, one: mark(scene, scene.account_of(DIRECT, one), None),
    DriftKind.CONTACT_GONE: lambda scene, one: delete_contact(
        scene, scene.contact_of(DIRECT, one).id
    ),
    DriftKind.FIELDS_EDITED: lambda scene, one: edit_account(
        scene, scene.account_of(DIRECT, one), billingAddress={"city": "Larissa"}
    ),
    DriftKind.SYNC_OPTIONS_DIFFER: set_option,
}
