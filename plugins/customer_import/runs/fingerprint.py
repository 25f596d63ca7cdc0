"""Hashes of what decides, beside a customer's own data, what becomes of it.

A customer that did not change may be carried forward only while mapping and settings are those with which it
was read. They count as far as they decide something about a customer that exists: not how fast the work is done, what
other imports map, what only new accounts get, or the order of a list. Whom the instance leaves out is not here either:
that concerns the customers of these resellers alone (``tasks.extract.due``).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic.main import IncEx

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import FieldMapping
    from customer_import.partner_center.models import ListedTenant, Reseller
    from customer_import.runs.run import Run

_DECIDES_NOTHING: Mapping[str, IncEx | bool] = {
    "title": True,
    "import_types": True,
    "exclude_reseller_mpn_ids": True,
    "reseller_bss_accounts": True,  # as far as they decide: _owners
    "counted_subscription_statuses": True,  # in any order
    "full_read_every_days": True,
    "auto_create": True,  # who waits for it is read again when it changes: tasks.extract.due
    "require_approval": True,
    "max_overwritten_percent": True,
    "approval_timeout_hours": True,
    "approvers": True,
    "hierarchy_refresh_days": True,
    "retention": True,
    "notices": True,
    "schedules": True,
    "roles": True,
    "load_batch_size": True,
    "max_load_batches": True,
    "partner_center": {
        "requests_per_minute",
        "rate_window_s",
        "concurrency",
        "page_size",
        "request_timeout_s",
        "max_attempts",
        "retry_budget_s",
        "max_answer_mb",
        "client_secret_ends",
    },
    "bss": {
        # What these names lead to decides: _looked_up and _owners.
        "conn_id",
        "tenant_marker_field",
        "sync_system",
        "responsible_user",
        "permission_rule",
        "ordering_options",
        "account_url",
        "contact_url",
        "concurrency",
        "requests_per_second",
        "request_timeout_s",
        "max_attempts",
        "retry_budget_s",
        "max_answer_mb",
        "settle_delay_s",
    },
}
_DIGEST_SIZE = 16


def fingerprint_of(
    run: Run, organisation: Organisation | None, resellers: Iterable[Reseller] = ()
) -> dict[str, str]:
    """Return a hash per thing that decides, by its name in words.

    Args:
        run: Its instance and mapping files.
        organisation: The BSS organisation; ``None`` when the run looked at none.
        resellers: The partner's indirect resellers; only the indirect import has them.
    """
    named = sorted((one.tenant_id, one.mpn_id, one.name) for one in resellers)
    settings = run.instance.model_dump(mode="json", exclude=_DECIDES_NOTHING)
    counted = sorted(set(run.instance.counted_subscription_statuses))
    return {
        "the mapping files": _hash(_mapped(run)),
        "the instance's settings": _hash([settings, counted]),
        "the BSS organisation": _hash(organisation and _looked_up(organisation)),
        "the owners or bill-to accounts": _hash(_owners(run, organisation)),
        "the resellers": _hash(named),
    }


def combined(fingerprint: Mapping[str, str]) -> str:
    """Return one hash over all parts."""
    return _hash(dict(fingerprint))


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ."""
    return sorted(name for name in after if before.get(name) != after[name])


def listed_hash(tenant: ListedTenant, reseller_ids: Iterable[str] = ()) -> str:
    """Return a hash of what the customer list says of a tenant.

    Args:
        tenant: The list item.
        reseller_ids: Tenant ids of its resellers, when the instance groups by relationship.
    """
    return _hash([tenant.name, tenant.domain, tenant.relationship, sorted(reseller_ids)])


def _mapped(run: Run) -> dict[str, dict[str, object]]:
    """Return the fields that the run's import writes."""
    mapped: dict[str, dict[str, object]] = {}
    for entity, target, field in _fields(run):
        rules = field.model_dump(mode="json", exclude={"import_types"})
        mapped.setdefault(entity, {})[target] = rules
    return mapped


def _fields(run: Run) -> Iterator[tuple[str, str, FieldMapping]]:
    entities: dict[str, Mapping[str, FieldMapping]] = {
        "account": run.mappings.account,
        "contact": run.mappings.contact,
        "sync_options": run.mappings.sync_options,
    }
    for entity, fields in entities.items():
        for target, field in fields.items():
            if run.import_type in field.import_types:
                yield entity, target, field


def _looked_up(organisation: Organisation) -> list[object]:
    """Return what customers' values are looked up in, in no order but its own."""
    return [
        organisation.identity,
        organisation.tenant_marker_field_id,
        organisation.sync_system_id,
        sorted(organisation.country_ids.items()),
        sorted((*key, state_id) for key, state_id in organisation.state_ids.items()),
    ]


def _owners(run: Run, organisation: Organisation | None) -> dict[str, object]:
    """Return whom customers get as owner and bill-to account, as far as an update would write it.

    Of a field that is written once that is at most whether there is a value: without one it may be cleared.
    """
    values: dict[str, dict[str, int | None]] = {"reseller.bssAccountId": {}}
    values["reseller.bssAccountId"].update(run.instance.reseller_bss_accounts)
    if organisation is not None:
        values["run.responsibleUserId"] = {"": organisation.responsible_user_id}
        values["run.permissionRuleId"] = {"": organisation.permission_rule_id}
    refused = run.instance.bss.refused_targets
    fields = [field for _, target, field in _fields(run) if target not in refused]
    decided: dict[str, object] = {}
    for source, found in values.items():
        using = [field for field in fields if source in field.sources]
        there = sorted((whose, value) for whose, value in found.items() if value is not None)
        if any(field.on_update != "keep" for field in using):
            decided[source] = there
        elif any(field.required or field.on_empty == "clear" for field in using):
            decided[source] = [whose for whose, _ in there]
    return decided


def _hash(value: object) -> str:
    body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(body, digest_size=_DIGEST_SIZE).hexdigest()
