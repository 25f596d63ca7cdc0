"""Accounts that a BSS organisation holds before any import.

Three kinds in turn: one that carries a customer's tenant marker (to be adopted), one with a
customer's name and no marker (makes the customer ambiguous), and one with a customer's name that
carries the marker of a tenant nobody knows (must not get in the way).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sandbox.bss.setup import PROVIDER
from sandbox.config import CustomerClass
from sandbox.credentials import guid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.bss.organisation import Organisation
    from sandbox.population.models import Customer

MARKED, SAME_NAME, OTHER_MARKER = "marked", "same_name", "other_marker"
_KINDS = (MARKED, SAME_NAME, OTHER_MARKER)


def add_existing_accounts(
    organisation: Organisation, customers: Iterable[Customer], count: int, seed: int
) -> None:
    """Fill an organisation with accounts, for its own customers that have nothing special.

    Args:
        organisation: Where the accounts go.
        customers: The population.
        count: How many accounts; fewer when there are not enough customers.
        seed: Decides the foreign markers.
    """
    rng = random.Random(f"{seed}:existing:{organisation.setup.key}")  # noqa: S311 - must be the same at every start
    is_provider = organisation.setup.key == PROVIDER
    plain = [
        customer
        for customer in customers
        if not customer.peculiarities
        and (customer.made_as is CustomerClass.TENANT_RESELLER) != is_provider
    ]
    for number, customer in enumerate(plain[:count]):
        _add(organisation, customer, _KINDS[number % len(_KINDS)], rng)


def _add(organisation: Organisation, customer: Customer, kind: str, rng: random.Random) -> None:
    marker = {MARKED: customer.tenant_id.upper(), OTHER_MARKER: guid(rng)}.get(kind)
    fields = {organisation.setup.tenant_marker.id: marker} if marker else {}
    organisation.create_account({"name": customer.company_name}, fields, existing_kind=kind)
