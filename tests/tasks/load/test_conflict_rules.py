"""Who wins where Partner Center and the BSS differ: every field that may be mapped, every rule, every way to differ.

The model is ``settle``, a few lines; the load must do the same to every customer, and say it. A customer is a case: one
of its fields is edited, the others stay equal on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.config.mapping_rules import LOOKUP_TARGETS
from customer_import.config.targets import (
    ACCOUNT_TARGETS,
    ADDRESS_PREFIX,
    CONTACT_TARGETS,
    COUNTRY_TARGET,
    ID_TARGETS,
    STATE_TARGET,
)
from customer_import.vocabulary import Mode
from sandbox.bss.setup import BssUser, PermissionRule
from tests.tasks.load.scene import DOMAIN_PREFIX, MPN_OPTION, Customer, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ACCOUNT, CONTACT, OPTIONS = "account", "contact", "sync_options"
FIELDS = (
    *((ACCOUNT, target) for target in sorted(ACCOUNT_TARGETS)),
    *((CONTACT, target) for target in sorted(CONTACT_TARGETS)),
    (OPTIONS, DOMAIN_PREFIX),
    (OPTIONS, MPN_OPTION),
)
ALIASES = {DOMAIN_PREFIX: "domainprefix", MPN_OPTION: "resellermpnid"}
BASE, OURS, THEIRS = range(3)
SITUATIONS: dict[str, tuple[int | None, int | None]] = {
    "unchanged": (BASE, BASE),
    "changed in Partner Center": (OURS, BASE),
    "changed in the BSS": (BASE, THEIRS),
    "changed in both": (OURS, THEIRS),
    "emptied in Partner Center": (None, BASE),
    "empty in the BSS": (BASE, None),
}
"""What Partner Center and the BSS have then, as numbers of the three values of a field."""
NEVER_EMPTY = {"name", COUNTRY_TARGET}
"""A customer without one is rejected before the load, and the BSS has no account without one."""
KEPT = "The BSS keeps what Partner Center has no value for: "


def settle(record: str, on_update: str, on_empty: str, ours: Any, theirs: Any) -> tuple[Any, str]:
    """Return what the BSS has to hold, and which word says so."""
    if ours == theirs:
        return theirs, ""
    if ours is None:
        if on_empty == "clear":
            return None, "Emptied, because Partner Center has no value: {}."
        return theirs, "" if on_update == "keep" else KEPT + "{}."
    is_written_once = on_update == "keep" and record != OPTIONS  # an empty option was not written
    if is_written_once or (on_update != "overwrite" and theirs is not None):
        return theirs, f"Left alone by the mapping's rule: {{}} ({on_update})."
    return ours, "Changed: {}."


@dataclass(frozen=True)
class Case:
    """A customer with one field in one situation."""

    customer: Customer
    record: str
    target: str
    situation: str
    choices: Mapping[tuple[str, str], tuple[Any, ...]]

    @property
    def name(self) -> str:
        return f"contact.{self.target}" if self.record == CONTACT else self.target

    def value(self, number: int | None) -> Any:
        value = None if number is None else self.choices[self.record, self.target][number]
        return f"{value} of {self.customer.name}" if self.target == "name" and value else value

    def staged(self, number: int | None) -> StagedCase:
        customer = self.customer
        return StagedCase(customer.name, customer.tenant_id, case=self, value=self.value(number))


@dataclass(frozen=True)
class StagedCase(Customer):
    """A case as the transform would stage it."""

    case: Any = None
    value: Any = None

    def account(self, _country_id: int) -> dict[str, Any]:
        values = self._values(ACCOUNT)
        if self.case.target == COUNTRY_TARGET:
            del values[STATE_TARGET]
        address = {
            path.removeprefix(ADDRESS_PREFIX): values.pop(path)
            for path in list(values)
            if path.startswith(ADDRESS_PREFIX)
        }
        return {**values, "billingAddress": address}

    def contact(self) -> dict[str, Any]:
        return self._values(CONTACT)

    def sync_options(self) -> dict[str, Any]:
        return self._values(OPTIONS)

    def _values(self, record: str) -> dict[str, Any]:
        values = {
            target: replace(self.case, target=target, record=record).value(BASE)
            for kind, target in FIELDS
            if kind == record
        }
        if record == self.case.record:
            values[self.case.target] = self.value
        return values


def cases(scene: Scene) -> list[Case]:
    setup = scene.records.setup
    users = tuple(BssUser(900 + i, f"user{i}@bss.example", "", 910 + i) for i in range(3))
    rules = tuple(PermissionRule(910 + i, f"Rule {i}") for i in range(3))
    scene.records.setup = replace(
        setup,
        users=(*setup.users, *users),
        permission_rules=(*setup.permission_rules, *rules),
    )
    with_states = [country for country in setup.countries if len(country.states) > 2]
    ids = {
        "responsibleUserId": tuple(user.id for user in users),
        "permissionRuleId": tuple(rule.id for rule in rules),
        "billToAccountId": tuple(scene.existing(f"Payer {i}", None).id for i in range(3)),
        COUNTRY_TARGET: tuple(country.id for country in with_states[:3]),
        STATE_TARGET: tuple(state.id for state in with_states[0].states[:3]),
        "email": tuple(f"office{i}@example.com" for i in range(3)),
    }
    choices = {
        (record, target): ids.get(target, tuple(f"value {letter}" for letter in "abc"))
        for record, target in FIELDS
    }
    return [
        Case(Customer(f"Company {number}"), record, target, situation, choices)
        for number, ((record, target), situation) in enumerate(product(FIELDS, SITUATIONS))
        if not (target in NEVER_EMPTY and None in SITUATIONS[situation])
        # The BSS shows an account without one as its own payer: it never is empty.
        and not (target == "billToAccountId" and situation == "empty in the BSS")
    ]


def held(scene: Scene, case: Case) -> Any:
    """What the BSS has in the field of a case."""
    account = scene.account_of(case.customer)
    if case.record == OPTIONS:
        return scene.options_of(account).get(ALIASES[case.target]) or None
    values: Any = account.values
    if case.record == CONTACT:
        (contact,) = scene.records.contacts_of(account.id)
        values = contact.values
    parent, _, name = case.target.rpartition(".")
    return ((values.get(parent) or {}) if parent else values).get(name)


def edit(scene: Scene, case: Case) -> None:
    """Do to the BSS what a person did there."""
    value = case.value(SITUATIONS[case.situation][1])
    account = scene.account_of(case.customer)
    if case.record == OPTIONS:
        values = {ALIASES[case.target]: value or ""}
        scene.records.set_sync_options(account.id, scene.records.setup.microsoft.id, values)
    elif case.record == CONTACT:
        (contact,) = scene.records.contacts_of(account.id)
        scene.records.update_contact(contact, contact.values | {case.target: value})
    else:
        parent, _, name = case.target.rpartition(".")
        values = account.values | (
            {parent: account.values[parent] | {name: value}} if parent else {name: value}
        )
        scene.records.update_account(account, values, account.custom_fields)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Map every field, each with the same rules; what is staged says the values."""
    folder = tmp_path / "include" / "mappings"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(folder.parent))

    def write(on_update: str, on_empty: str) -> None:
        rules = {"on_update": on_update, "on_empty": on_empty}
        lookups = {target: lookup for lookup, target in LOOKUP_TARGETS.items()}

        def entry(target: str) -> dict[str, object]:
            if lookup := lookups.get(target):
                return {"source": "tenant.id", "transforms": [lookup], **rules}
            is_id = target in ID_TARGETS
            return {"source": "reseller.bssAccountId" if is_id else "tenant.id", **rules}

        for entity in (ACCOUNT, CONTACT, OPTIONS):
            fields = {target: entry(target) for record, target in FIELDS if record == entity}
            content = {"version": 1, "entity": entity, "fields": fields}
            (folder / f"{entity}.yaml").write_text(yaml.safe_dump(content))
        profiles = {"standard": STANDARD}
        content = {"version": 1, "entity": "ordering_options", "profiles": profiles}
        (folder / "ordering_options.yaml").write_text(yaml.safe_dump(content))

    return write


STANDARD = {
    "orderingEnabled": True,
    "separateInvoices": False,
    "taxable": True,
    "autoInvoiceNotification": True,
    "resellingEnabled": False,
    "isAffiliate": False,
    "isBillingFrequencyEnabled": False,
    "creditLimit": 0,
    "billingFrequencyMarkup": 0,
    "noteType": 1,
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("on_empty", ["clear", "keep"])
@pytest.mark.parametrize("on_update", ["overwrite", "keep", "fill"])
def test_every_field_in_every_situation_is_settled_by_its_rules_and_said(
    scene: Scene, rules: Callable[[str, str], None], on_update: str, on_empty: str
):
    rules(on_update, on_empty)
    table = cases(scene)
    first = scene.run([case.staged(BASE) for case in table])
    assert set(scene.outcomes(first)) == {"created"}
    for case in table:
        edit(scene, case)
    staged = [case.staged(SITUATIONS[case.situation][0]) for case in table]

    previewed = scene.results(scene.run(staged, mode=Mode.PREVIEW, scope="verify"))
    results = scene.results(scene.run(staged, scope="verify"))

    wrong = {}
    for case in table:
        ours, theirs = map(case.value, SITUATIONS[case.situation])
        value, word = settle(case.record, on_update, on_empty, ours, theirs)
        result, preview = results[case.customer.tenant_id], previewed[case.customer.tenant_id]
        said = word.format(case.name)
        is_warning = said.startswith(KEPT)
        reason = "Nothing to change." if is_warning or not said else said
        if said.startswith("Left"):
            reason = f"Nothing to change. {said}"
        found = (
            held(scene, case),
            result.outcome,
            result.reason,
            [text[: len(said)] for text in result.warnings or ()],
        )
        outcome = "updated" if value != theirs else "unchanged"
        expected = (value, outcome, reason, [said] if is_warning else [])
        would = said.replace("Changed", "Would change").replace("Emptied", "Would empty")
        if found != expected or (would not in preview.reason and not is_warning):
            wrong[case.record, case.target, case.situation] = (expected, found, preview.reason)
    assert wrong == {}
    assert len(table) == len(FIELDS) * len(SITUATIONS) - 5
    assert not scene.records.counters.violations
