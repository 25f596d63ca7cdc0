"""A customer that moved, to another reseller or import: what says whose it is follows, or is asked for. Pure.

An update leaves alone what the mapping says is written once. A move is the exception: bill-to account and owner are
then written as for a new account. What the import may not or cannot write is named on the customer's results until a
person has changed it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from customer_import.bss.patch import read_field
from customer_import.config.targets import OWNER_TARGETS
from customer_import.text import trim
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Collection

    from customer_import.config.mapping import FieldMapping, Mappings
    from customer_import.runs.run import Run
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.comparison import Comparison
    from customer_import.tasks.load.customers import StagedCustomer

_BILL_TO, _OWNER = "billToAccountId", "responsibleUserId"


def has_moved(customer: StagedCustomer, link: Link, import_type: ImportType) -> bool:
    """Whether a linked customer was, or may have been, another import's or reseller's when it was written last."""
    is_other_reseller = link.reseller_mpn_id not in {None, customer.reseller_mpn_id}
    return link.account_id is not None and (
        link.import_type != import_type.value or is_other_reseller or _is_unfinished(link)
    )


def begun(link: Link) -> Link:
    """Return a link as it is while a move is written: what says whose the customer is may be the old or the new."""
    return replace(link, owed=sorted({*(link.owed or ()), *OWNER_TARGETS}))


def _is_unfinished(link: Link) -> bool:
    """Whether a move was begun and broke off; what a person still has to change is never all of these."""
    return set(link.owed or ()) >= OWNER_TARGETS


def said_move(customer: StagedCustomer, link: Link, import_type: ImportType) -> str:
    """Say a move."""
    if link.import_type != import_type.value:
        return (
            f"The customer was imported by the {link.import_type} import before; "
            f"it now belongs to the {import_type.value} import."
        )
    if link.reseller_mpn_id == customer.reseller_mpn_id:
        return "The customer moved and came back before the move was written as a whole."
    return (
        f"The customer was reseller {link.reseller_mpn_id}'s before; "
        f"it now is {customer.reseller_mpn_id}'s."
    )


def renewing(mappings: Mappings) -> Mappings:
    """Return mappings that also update what says whose a customer is."""

    def renewed(target: str, field: FieldMapping) -> FieldMapping:
        is_due = target in OWNER_TARGETS
        return field.model_copy(update={"on_update": "overwrite"}) if is_due else field

    return mappings.with_fields(renewed)


def still_owed(
    customer: StagedCustomer,
    run: Run,
    comparison: Comparison,
    *,
    is_move: bool,
    told: Collection[str],
) -> dict[str, str]:
    """Return what an update leaves of a move for a person to change.

    Args:
        customer: As staged.
        run: The run.
        comparison: With what the BSS has, and what the update changes of it.
        is_move: Whether the customer has moved since it was written. After a restore, or of an account that was made by
            hand, nobody knows; then only what no customer of this import has tells that it was a reseller's.
        told: What runs before this one found to be owed.

    Returns:
        Name of the field or option to a warning.
    """
    written = comparison.changes.account.before
    owed = {
        name: f"Its account carries a reseller's MPN ID as a sync option ({name}), and the {run.import_type} import "
        "gives none; remove it in the BSS."
        for name in _foreign_options(run, comparison)
    }
    account = comparison.account
    bill_to = read_field(account.body, _BILL_TO)
    resellers = run.instance.reseller_bss_accounts
    right = resellers.get(customer.reseller_mpn_id or "")
    if run.import_type is not ImportType.INDIRECT:
        right = None
    is_known = is_move or _BILL_TO in told
    is_wrong = is_known and bill_to != right if right else bill_to in set(resellers.values())
    if is_wrong and bill_to is not None and _BILL_TO not in written:
        wanted = f"account {right}, its reseller's" if right else "no reseller's account"
        owed[_BILL_TO] = f"Its bill-to account is still {bill_to}; make it {wanted} in the BSS."
    owner, right_owner = read_field(account.body, _OWNER), customer.account.get(_OWNER)
    is_former = right_owner is not None and owner != right_owner and _OWNER not in written
    if is_former and (is_move or _OWNER in told):
        owed[_OWNER] = "Its responsible user is still the former one; change it in the BSS."
    return owed


def _foreign_options(run: Run, comparison: Comparison) -> list[str]:
    """Return the mapped options with a value that this import does not give."""
    cleared = set(comparison.options.cleared)
    filled = {
        trim(text).casefold()
        for option in comparison.all_options
        if option.value
        for text in (option.name, option.alias)
    }
    return [
        name
        for name, mapping in run.mappings.sync_options.items()
        if run.import_type not in mapping.import_types
        and trim(name).casefold() in filled
        and name not in cleared
    ]
