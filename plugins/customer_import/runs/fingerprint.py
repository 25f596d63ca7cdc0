"""Hashes of what decides, beside a customer's own data, what becomes of it.

A customer that did not change may be carried forward only while mapping and settings are those with which it
was read. Settings that only say how fast or how the work is done are left out: tuning them re-reads nobody.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.main import IncEx

    from customer_import.partner_center.models import ListedTenant, Reseller
    from customer_import.runs.run import Run

_PACE: Mapping[str, IncEx | bool] = {
    "title": True,
    "full_read_every_days": True,
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
    },
    "bss": {
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
    run: Run, organisation: object, resellers: Iterable[Reseller] = ()
) -> dict[str, str]:
    """Return a hash per thing that decides, by its name in words.

    Args:
        run: Its instance and mapping files.
        organisation: The BSS organisation as stored: countries, states, owner, custom field.
        resellers: The partner's indirect resellers; only the indirect import has them.
    """
    named = sorted((one.tenant_id, one.mpn_id, one.name) for one in resellers)
    return {
        "the mapping files": _hash(run.mappings.model_dump(mode="json")),
        "the instance's settings": _hash(run.instance.model_dump(mode="json", exclude=_PACE)),
        "the BSS organisation": _hash(organisation),
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


def _hash(value: object) -> str:
    body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(body, digest_size=_DIGEST_SIZE).hexdigest()
