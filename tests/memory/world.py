"""A partner whose customers change, twice: one that many runs have imported, and one that nobody ever did."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from customer_import.vocabulary import ImportType
from sandbox import SandboxConfig, SandboxServer
from sandbox.bss.setup import PROVIDER, TENANT_RESELLER
from sandbox.config import CustomerClass
from sandbox.population.generator import generate_customer
from sandbox.population.models import Access
from tests.chaos.state import BssState
from tests.support.library_run import sandbox_environment

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.population.models import Customer

SEED, RESELLERS = 1, 5
KINDS = tuple(ImportType)


class Partner:
    """A sandbox, and the environment in which Airflow finds it."""

    def __init__(self, folder: Path, customers: int) -> None:
        self._config = SandboxConfig(customers=customers, resellers=RESELLERS, seed=SEED)
        self._folder = folder
        self.sandbox = SandboxServer(self._config)
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Partner:
        self._folder.mkdir(parents=True)
        self.sandbox.__enter__()
        self._environment = sandbox_environment(self.sandbox.info, self._folder)
        path = self._folder / "instances.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for instance in document["instances"].values():
            instance["bss"] |= {"settle_delay_s": 0.05, "request_timeout_s": 10.0}
            instance["partner_center"] |= {"max_attempts": 2}
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.sandbox.__exit__(None, None, None)

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """Let imports find this partner."""
        before = dict(os.environ)
        os.environ.update(self._environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def bss(self, import_type: ImportType) -> dict[str, tuple[bytes, ...]]:
        """Return all that the BSS of an import holds, by tenant."""
        key = TENANT_RESELLER if import_type is ImportType.TENANT_RESELLER else PROVIDER
        found = BssState.of(self.sandbox).accounts
        return {
            name.removeprefix(f"{key} "): forms
            for name, forms in found.items()
            if name.startswith(f"{key} ")
        }


@dataclass
class Seen:
    """Which changes of a customer can be known: a number goes up with each, and each reading notes its own."""

    number: int = 0
    hidden: dict[str, int] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    # Run number, number of the moment: in the order of runs, so that a restored database forgets the last ones.
    read: dict[tuple[str, ImportType], list[tuple[int, int]]] = field(default_factory=dict)

    def changed(self, tenant_id: str, *, is_shown: bool) -> None:
        self.number += 1
        (self.shown if is_shown else self.hidden)[tenant_id] = self.number

    def was_read(self, tenant_id: str, import_type: ImportType, run_number: int) -> None:
        moments = self.read.setdefault((tenant_id, import_type), [])
        moments.append((run_number, self.number))

    def forget_after(self, run_number: int) -> None:
        for key, moments in self.read.items():
            self.read[key] = [moment for moment in moments if moment[0] <= run_number]

    def is_hidden(self, tenant_id: str, import_type: ImportType) -> bool:
        """Whether a change was never shown, and never read by the import."""
        read = max((number for _, number in self.read.get((tenant_id, import_type), ())), default=0)
        return self.hidden.get(tenant_id, 0) > max(read, self.shown.get(tenant_id, 0))


class World:
    """The customers, and everything that happens to them in Partner Center."""

    def __init__(self, partner: Partner, rng: random.Random) -> None:
        self.source = partner.sandbox.source
        self.seen = Seen()
        self._rng = rng
        self._made = len(self.source.customers)
        self._absent: dict[str, Customer] = {}
        self._late: set[str] = set()
        self.events: dict[str, Callable[[Customer], Any]] = {
            "sold": self.sell,
            "edited": self.edit,
            "emptied": self.empty,
            "moved": self.move,
            "left or came back": self.leave,
            "spoilt or mended": self.spoil,
            "vanished or reappeared": self.vanish,
        }

    @property
    def tenants(self) -> list[str]:
        return sorted({*self.source.customers, *self._absent})

    def go_on(self) -> None:
        """Let some time pass in which a twentieth of the customers change."""
        share = max(3, len(self.source.customers) // 20)
        for customer in self._rng.sample(list(self.source.customers.values()), share):
            weights = (2, 8, 3, 4, 2, 2, 1)
            (name,) = self._rng.choices(list(self.events), weights)
            self.events[name](customer)
        for tenant_id in list(self._late):
            if self._rng.random() < 0.5 and tenant_id in self.source.customers:
                self._late.remove(tenant_id)
                self.source.note(tenant_id, "update_customer_billing_profile")
                self.seen.changed(tenant_id, is_shown=True)

    def sell(self, _: Customer) -> None:
        made_as = CustomerClass(self._rng.choice(KINDS).value)
        resellers = tuple(self.source.resellers.values())
        customer = generate_customer(self._made, seed=SEED, made_as=made_as, resellers=resellers)
        self._made += 1
        if customer.tenant_id not in self.source.customers:
            self.source.add(customer)

    def edit(self, customer: Customer) -> None:
        number = self._rng.randrange(10_000)
        address = {"city": f"City {number}", "phoneNumber": f"+30 210 {number:07}"}
        self._change(customer, document={"billingProfile": {"defaultAddress": address}})
        if self._rng.random() < 0.3:
            name = {"companyProfile": {"companyName": f"Company {number}"}}
            self._change(self.source.customers[customer.tenant_id], document=name)

    def empty(self, customer: Customer) -> None:
        name = self._rng.choice(["phoneNumber", "city", "state", "postalCode"])
        self._change(customer, document={"billingProfile": {"defaultAddress": {name: None}}})

    def move(self, customer: Customer) -> None:
        """Let a customer be bought from others: nobody, a reseller, the tenant reseller, or several."""
        mpn_ids = [None, *(each.mpn_id for each in self.source.resellers.values())]
        count = 1 if self._rng.random() < 0.8 else 2
        items = []
        for number, mpn_id in enumerate(self._rng.sample(mpn_ids, count)):
            item = {"id": f"{number:08X}-0000-4000-8000-000000000000", "status": "active"}
            if customer.subscriptions:
                item = deepcopy(customer.subscriptions[0]) | item
            item.pop("partnerId", None)
            items.append(item | ({"partnerId": mpn_id} if mpn_id else {}))
        self._change(customer, subscriptions=items)

    def leave(self, customer: Customer) -> None:
        is_open = customer.access is Access.OPEN
        self._change(customer, access=(Access.LEFT if is_open else Access.OPEN).value)

    def spoil(self, customer: Customer) -> None:
        """Take a contact's name away, or give it one."""
        profile = customer.document.get("billingProfile")
        if not profile:
            return
        name = None if profile.get("lastName") else "Papadopoulou"
        names = {"firstName": name, "lastName": name}
        address = {"defaultAddress": names} if profile.get("defaultAddress") else {}
        self._change(customer, document={"billingProfile": {**names, **address}})

    def vanish(self, customer: Customer) -> None:
        """Take a customer out of the list, and put those back who were taken out before."""
        for back in self._absent.values():
            self.source.put(back)
        self._absent.clear()
        self._absent[customer.tenant_id] = customer
        self.source.remove(customer.tenant_id)

    def _change(self, customer: Customer, **changes: Any) -> None:
        way = self._rng.choices(["shown", "late", "never shown"], (7, 2, 1))[0]
        self.source.edit(customer.tenant_id, changes, is_audited=way == "shown")
        self.seen.changed(customer.tenant_id, is_shown=way == "shown")
        if way == "late":
            self._late.add(customer.tenant_id)


def copy_customers(source: Partner, target: Partner) -> None:
    """Give another partner the same customers, an empty BSS and no history."""
    server = target.sandbox
    server.state.reset()
    for tenant_id in list(server.source.customers.keys() - source.sandbox.source.customers.keys()):
        server.source.remove(tenant_id)
    for tenant_id, customer in source.sandbox.source.customers.items():
        if server.source.customers.get(tenant_id) is not customer:
            server.source.put(customer)


@contextmanager
def two_partners(folder: Path, customers: int) -> Iterator[tuple[Partner, Partner]]:
    """Start the partner whose history is made, and the one that is always new."""
    with ExitStack() as stack:
        first = stack.enter_context(Partner(folder / "old", customers))
        second = stack.enter_context(Partner(folder / "fresh", customers))
        yield first, second
