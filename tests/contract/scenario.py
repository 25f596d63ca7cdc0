"""Whole imports of all three types that between them make every call that the import can make."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from customer_import.bss.check import check_bss
from customer_import.bss.hook import BssHook
from customer_import.bss.looks import Needed
from customer_import.config.instances import BssConfig, PartnerCenterConfig
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide
from customer_import.partner_center.check import check_partner_center
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.vocabulary import DecisionKind, ImportType
from sandbox.config import ClassMix
from sandbox.demo.settings import BSS_CONNECTION, PARTNER_CENTER_CONNECTION
from sandbox.faults import FaultKind
from sandbox.population.generator import generate
from tests.imports.scene import RESELLERS, SEED
from tests.support.library_run import finish

if TYPE_CHECKING:
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

CUSTOMERS = 130
_PAGE = 40
DIRECT, INDIRECT, _ = ImportType


def play(scene: Scene) -> int:
    """Run it; return the number of imports."""
    runs = 0

    def run(import_type: ImportType, **params: Any) -> None:
        nonlocal runs
        staged = scene.stage(import_type, **params)
        finish(scene.engine, scene.load(staged) if staged.is_loading else staged)
        runs += 1

    _configure(scene)
    for customer in generate(CUSTOMERS, SEED, ClassMix(), RESELLERS).customers:
        scene.sandbox.source.put(customer)
    scene.made = CUSTOMERS
    _sell_by_hand(scene)
    _check(scene)
    _go_wrong(scene)
    setup = scene.bss(DIRECT).setup
    owners = {
        "responsible_user": setup.users[0].username,
        "permission_rule": setup.permission_rules[0].name,
    }
    for import_type in ImportType:
        is_provider = import_type is not ImportType.TENANT_RESELLER
        run(import_type, ordering_options="standard", **(owners if is_provider else {}))
    for import_type in ImportType:
        run(import_type)
    _change(scene)
    for params in (
        {"mode": "preview"},
        {"scope": "changed"},
        {"scope": "verify"},
        {"mode": "check"},
        {"mode": "discover"},
    ):
        for import_type in ImportType:
            run(import_type, **params)
    return runs


def _configure(scene: Scene) -> None:
    """Let lists have several pages, and one reseller an account of its own."""
    account = scene.bss(INDIRECT).create_account({"name": "Reseller"}, {}, "test")
    scene.configure(
        partner_center={"page_size": _PAGE},
        reseller_bss_accounts={scene.resellers[1].mpn_id: account.id},
        bss={"max_attempts": 4, "accepts_bill_to_account": True},
    )


def _sell_by_hand(scene: Scene) -> None:
    """Sell to somebody whose account a person made and names: its tenant id is entered in it."""
    (customer,) = scene.sell(DIRECT)
    customer = scene.edit(customer, companyProfile={"companyName": "Made by Hand Ltd"})
    account = scene.bss(DIRECT).create_account({"name": "Made by Hand Ltd"}, {}, "test")
    proposal = Proposal(
        instance="sandbox",
        subject=customer.tenant_id,
        kind=DecisionKind.LINK,
        value=str(account.id),
        reason="as agreed",
    )
    decide(scene.engine, [proposal], Author("ada"))


def _check(scene: Scene) -> None:
    """Look at both ends as ``customer-import check`` does, and ask as a DAG of one's own does."""
    bss = BssConfig(
        conn_id=BSS_CONNECTION,
        accepts_responsible_user=True,
        accepts_permission_rule=True,
        responsible_user=scene.bss(DIRECT).setup.users[0].username,
    )
    needed = Needed(("Domain prefix",), scene.bss(DIRECT).setup.payment_methods[0])
    check_bss(bss, needed=needed)
    hook = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    config = PartnerCenterConfig(conn_id=PARTNER_CENTER_CONNECTION)
    check_partner_center(config, INDIRECT, hook, is_thorough=True)
    BssHook(BSS_CONNECTION).run("/api/organization/countries")


def _go_wrong(scene: Scene) -> None:
    """Let answers be lost or refused, each once, so that writes are settled and error bodies read."""
    for endpoint, kind, more in (
        ("bss.accounts.create", FaultKind.RESET_AFTER, {"calls": (5,)}),
        ("bss.contacts.create", FaultKind.RESET_AFTER, {"calls": (7,)}),
        ("bss.accounts.create", FaultKind.THROTTLE, {"calls": (9,)}),
        ("bss.contacts.create", FaultKind.RATE_LIMIT_403, {"calls": (11,)}),
        ("bss.sync_options.post", FaultKind.STATUS, {"calls": (3,)}),
        ("bss.accounts.list", FaultKind.UNAUTHORIZED, {"calls": (3,)}),
        ("partner_center.customers.get", FaultKind.THROTTLE, {"calls": (6,)}),
        ("partner_center.customers.subscriptions", FaultKind.STATUS, {"calls": (8,)}),
        ("partner_center.customers.get", FaultKind.UNAUTHORIZED, {"calls": (12,)}),
    ):
        scene.strike(endpoint, kind, **more)


def _change(scene: Scene) -> None:
    """Edit customers in Partner Center: values that differ, values that are gone, one that is new."""
    source = scene.sandbox.source
    for number, customer in enumerate(list(source.customers.values())[:40]):
        profile = customer.document.get("billingProfile")
        if profile and profile.get("defaultAddress"):
            _edit(scene, customer, number)
    scene.sell(DIRECT)
    changed = next(iter(source.customers.values()))
    source.note(changed.tenant_id, "update_customer_user")


def _edit(scene: Scene, customer: Customer, number: int) -> None:
    address: dict[str, Any] = {"city": f"City {number}", "phoneNumber": None if number % 3 else ""}
    profile = {"defaultAddress": address, "lastName": f"Smith {number}"}
    scene.edit(replace(customer), billingProfile=profile)
