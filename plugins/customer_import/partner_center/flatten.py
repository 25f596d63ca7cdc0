"""Turns the body of ``GET /v1/customers/{id}`` into the flat values that the mapping names.

Pure and quick: it runs while the network is waited for. Values stay as Partner Center has them
(trimming, case and target lengths are the mapping's business), as far as they are texts and numbers of
a sensible length; ``userCredentials``, which may hold an admin password, is dropped before anything is
stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from customer_import.http.reader import read_document
from customer_import.text import trim, without_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TENANT_DOMAIN_SUFFIXES = (
    ".onmicrosoft.com",
    ".partner.onmschina.cn",
    ".onmicrosoft.us",
    ".ccsctp.net",
)
"""Ends of the domains that Microsoft gives to tenants (docs/api/partner-center.md section 6).

Exactly one label stands before them in a tenant's own domain. More are a sub-domain or a mail routing domain, such as
``contoso.mail.onmicrosoft.com``.
"""
_MAX_PREFIX_LENGTH = 250  # of the staging column; real ones have 27 characters at most
_CREDENTIALS = "userCredentials"
_BOM = b"\xef\xbb\xbf"
MAX_VALUE = 4_096
"""Characters of one mapped value; BSS fields take some hundred."""
MAX_KEPT_BODY = 1024 * 1024
"""Bytes of a body that is kept beside its values; real ones have a few thousand."""
_OBJECTS = (
    "companyProfile",
    "companyProfile.address",
    "billingProfile",
    "billingProfile.defaultAddress",
)

_EMPTY: dict[type, object] = {dict: {}, list: []}
"""What stands for a list or an object where text is due: that it was none is all that validation says."""

Json = dict[str, Any]  # a JSON object; every value is checked where it is used


@dataclass(frozen=True, slots=True)
class FlatCustomer:
    """A customer as far as the import stages it.

    Attributes:
        source: Mapped path to value; absent and null values are left out.
        body: The whole body as JSON, clean, without byte order mark and credentials; one beyond
            ``MAX_KEPT_BODY`` is not kept.
        has_billing_profile: Whether there is one that is not null.
        has_delegated_access: Whether Partner Center shows what it keeps from partners without delegated access (DAP,
            GDAP): domains, company address and company e-mail. When not, they are hidden instead of absent.
        domain_prefix: Of the tenant's onmicrosoft domain; ``None`` when it has none, or it is hidden.
        domain_prefixes: Those of all such domains that it has.
    """

    source: Mapping[str, object] = field(repr=False)
    body: bytes = field(repr=False)
    has_billing_profile: bool
    has_delegated_access: bool
    domain_prefix: str | None
    domain_prefixes: tuple[str, ...] = ()


def flatten_customer(
    body: bytes, *, paths: tuple[str, ...], tenant_id: str | None = None
) -> FlatCustomer:
    """Read a customer's body.

    Args:
        body: As received, with or without byte order mark.
        paths: Dotted paths to take.
        tenant_id: Whose body it must be; ``None`` to take any.

    Raises:
        ValueError: The body is not a customer; names the path, never a value.
    """
    customer, is_verbatim = read_document(body)
    if not isinstance(customer, dict):
        message = "the customer: not an object"
        raise ValueError(message)  # noqa: TRY004 - parsers raise ValueError only
    _check_objects(customer)
    own_id = customer.get("id")
    if tenant_id is not None and trim(str(own_id)).lower() != tenant_id:
        message = "id: not the tenant that was asked for"
        raise ValueError(message)
    if _CREDENTIALS in customer:
        del customer[_CREDENTIALS]
        is_verbatim = False
    prefixes = _domain_prefixes(customer)
    body = body.removeprefix(_BOM) if is_verbatim else orjson.dumps(customer)
    return FlatCustomer(
        source=_take(customer, paths),
        body=body if len(body) <= MAX_KEPT_BODY else b"{}",
        has_billing_profile=customer.get("billingProfile") is not None,
        # GDAP, which allowDelegatedAccess does not speak of, shows in the domains.
        has_delegated_access=customer.get("allowDelegatedAccess") is True
        or bool(customer.get("customDomains")),
        domain_prefix=next(iter(prefixes), None),
        domain_prefixes=prefixes,
    )


def find_domain_prefix(domains: list[object]) -> str | None:
    """Return the label before the tenant suffix of the first domain that is one label and such a suffix.

    Args:
        domains: In order of preference; values that are not text are passed over.
    """
    return next(_prefixes(domains), None)


def _prefixes(domains: Iterable[object]) -> Iterator[str]:
    for value in domains:
        if not isinstance(value, str):
            continue
        domain = trim(without_format(value)).lower().rstrip(".")
        for suffix in TENANT_DOMAIN_SUFFIXES:
            prefix = domain.removesuffix(suffix)
            if prefix != domain and "." not in prefix and 0 < len(prefix) <= _MAX_PREFIX_LENGTH:
                yield prefix
                break


def _domain_prefixes(customer: Json) -> tuple[str, ...]:
    """Return the prefix of the default domain, then those of the others, which come in any order."""
    default = (customer.get("companyProfile") or {}).get("domain")
    custom = customer.get("customDomains")
    others = sorted(_prefixes(custom if isinstance(custom, list) else ()))
    return tuple(dict.fromkeys([*_prefixes([default]), *others]))


def _check_objects(customer: Json) -> None:
    plan = _plan(_OBJECTS)
    objects = plan.objects_of(customer)
    for path, holder, key in plan.leaves:
        node = objects[holder]
        value = None if node is None else node.get(key)
        if value is not None and not isinstance(value, dict):
            message = f"{path}: not an object"
            raise ValueError(message)


def _take(customer: Json, paths: tuple[str, ...]) -> dict[str, object]:
    taken: dict[str, object] = {}
    plan = _plan(paths)
    objects = plan.objects_of(customer)
    for path, holder, key in plan.leaves:
        node = objects[holder]
        if node is None or (value := node.get(key)) is None:
            continue
        if isinstance(value, str):
            taken[path] = value if len(value) <= MAX_VALUE else value[:MAX_VALUE]
        else:
            taken[path] = _EMPTY.get(type(value), value)
    return taken


@dataclass(frozen=True, slots=True)
class _Plan:
    """How paths are followed: each object on their ways is looked up once.

    Attributes:
        objects: Number of the object that holds it, and its key; the body itself is number 0, and not among them.
        leaves: Path, number of the object that holds its value, and the value's key.
    """

    objects: tuple[tuple[int, str], ...]
    leaves: tuple[tuple[str, int, str], ...]

    def objects_of(self, customer: Json) -> list[Json | None]:
        """Return the objects of a body by number; ``None`` for what is none."""
        found: list[Json | None] = [customer]
        for holder, key in self.objects:
            node = found[holder]
            value = None if node is None else node.get(key)
            found.append(value if isinstance(value, dict) else None)
        return found


@lru_cache(maxsize=16)
def _plan(paths: tuple[str, ...]) -> _Plan:
    numbers = {"": 0}
    objects, leaves = [], []
    for path in paths:
        *way, key = path.split(".")
        name = ""
        for step in way:
            holder, name = numbers[name], f"{name}.{step}"
            if name not in numbers:
                numbers[name] = len(numbers)
                objects.append((holder, step))
        leaves.append((path, numbers[name], key))
    return _Plan(tuple(objects), tuple(leaves))
