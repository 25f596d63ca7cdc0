"""What the BSS could not take when a customer was written: sync options and fields. Pure.

It is remembered with the link, said on each result, and written as soon as the BSS takes it. A field that is written
once is then filled where it is empty: what a person entered meanwhile stays, and is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.bss.patch import is_blank, read_field
from customer_import.config.targets import OWNER_TARGETS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from customer_import.bss.models import Json
    from customer_import.config.mapping import FieldMapping, Mappings
    from customer_import.runs.run import Run
    from customer_import.tasks.load.customers import StagedCustomer

_USER, _RULE = "responsibleUserId", "permissionRuleId"
_IN_WORDS = {
    "billToAccountId": ("bill-to account", "accepts_bill_to_account"),
    _RULE: ("permission rule", "accepts_permission_rule"),
    _USER: ("responsible user", "accepts_responsible_user"),
}


def left_out_warnings(names: Iterable[str]) -> list[str]:
    """Say what was left out, and why."""
    return [_warning(name) for name in names]


def _warning(name: str) -> str:
    if name not in _IN_WORDS:
        return f"The BSS organisation has no sync option {name!r}; it was left out."
    words, setting = _IN_WORDS[name]
    return (
        f"The BSS's API does not take the {words} (bss.{setting} of the instance); it was left out."
    )


def refused_fields(customer: StagedCustomer, run: Run) -> tuple[str, ...]:
    """Return the fields that the instance says its BSS does not take, and that would have a value."""
    bss, params = run.instance.bss, run.params
    bill_to = run.instance.reseller_bss_accounts.get(customer.reseller_mpn_id or "")
    values: dict[str, object] = {
        "reseller.bssAccountId": bill_to,
        "run.permissionRuleId": params.permission_rule or bss.permission_rule,
        "run.responsibleUserId": params.responsible_user or bss.responsible_user,
    }
    return tuple(
        target
        for target in sorted(bss.refused_targets)
        if any(values.get(source) for field in _fields(run, target) for source in field.sources)
    )


def left_out(
    customer: StagedCustomer,
    run: Run,
    absent: Iterable[str],
    *,
    before: Collection[str],
    is_whole: bool,
) -> tuple[str, ...]:
    """Return what a write left out.

    Args:
        customer: As staged.
        run: The run.
        absent: Sync options that the organisation does not have.
        before: What earlier writes left out.
        is_whole: Whether the write would have written fields that are written once.
    """
    fields = [
        target
        for target in refused_fields(customer, run)
        if is_whole
        or target in before
        or any(field.on_update != "keep" for field in _fields(run, target))
    ]
    return (*absent, *fields)


def still_left_out(customer: StagedCustomer, run: Run) -> list[str]:
    """Return what earlier writes left out and this run could not write either."""
    refused = refused_fields(customer, run)
    names = (customer.link and customer.link.left_out) or ()
    return [name for name in names if name not in OWNER_TARGETS or name in refused]


def taken_by_now(names: Collection[str] | None, run: Run) -> frozenset[str]:
    """Return the fields among those left out that the BSS takes by now; a user brings the default rule along."""
    left = OWNER_TARGETS.intersection(names or ())
    if _USER in left and _USER not in run.instance.bss.refused_targets:
        left |= {_RULE}
    return left - run.instance.bss.refused_targets


def filling(mappings: Mappings, targets: Collection[str]) -> Mappings:
    """Return mappings that write fields, which are written once, where they are empty."""

    def filled(target: str, field: FieldMapping) -> FieldMapping:
        is_due = target in targets and field.on_update == "keep"
        return field.model_copy(update={"on_update": "fill"}) if is_due else field

    return mappings.with_fields(filled) if targets else mappings


def occupied_warnings(
    where: str,
    payload: Mapping[str, object],
    record: Json,
    targets: Iterable[str],
    fields: Mapping[str, FieldMapping],
) -> list[str]:
    """Say which fields are not filled, because somebody entered another value while the BSS's API did not take one.

    Args:
        where: ``account`` or ``contact``.
        payload: What is staged for it.
        record: What the BSS has.
        targets: The fields that are to be filled.
        fields: Its mapping.
    """
    return [
        f"The {_IN_WORDS[target][0]} of the {where} stays as it is in the BSS: it was entered there while the BSS's "
        "API did not take it. Change it there if it is wrong."
        for target in sorted(targets)
        if target in fields
        and fields[target].on_update == "keep"
        and not is_blank(payload.get(target))
        and not is_blank(old := read_field(record, target))
        and old != payload[target]
    ]


def _fields(run: Run, target: str) -> list[FieldMapping]:
    """Return where the run's import takes a field of account and contact from."""
    return [
        fields[target]
        for fields in (run.mappings.account, run.mappings.contact)
        if target in fields and run.import_type in fields[target].import_types
    ]
