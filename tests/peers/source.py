"""Partner Center as streams of flat records, read by the library's client.

``python -m tests.peers.source check INSTANCE | describe | read INSTANCE STREAM`` writes JSON, a value a line, for a
reader in another environment.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from customer_import.config.instances import load_instance
from customer_import.config.mapping import load_mappings
from customer_import.errors import ConfigurationError, RejectedRequestError
from customer_import.partner_center.client import PartnerCenterClient
from customer_import.partner_center.hook import PartnerCenterHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

log = logging.getLogger(__name__)

Record = dict[str, Any]
_TEXT = {"type": ["string", "null"]}
_FLAG = {"type": ["boolean", "null"]}
_KEY = {"type": "string"}


@dataclass(frozen=True)
class Stream:
    """A list of Partner Center.

    Attributes:
        keys: Names of the properties that tell records apart.
        schema: JSON schema of a record.
        read: Gives pages of records.
    """

    keys: tuple[str, ...]
    schema: dict[str, Any]
    read: Callable[[PartnerCenterClient], AsyncIterator[list[Record]]]


def records(instance: str, stream: str) -> Iterator[Record]:
    """Read a stream of an instance; closing the iterator closes the session."""
    with asyncio.Runner() as runner:
        pages = _pages(instance, STREAMS[stream])
        while page := runner.run(_next(pages)):
            yield from page


async def _next(pages: AsyncIterator[list[Record]]) -> list[Record]:
    """Return the next page that is not empty; an empty one at the end."""
    async for page in pages:
        if page:
            return page
    return []


async def _pages(instance: str, stream: Stream) -> AsyncIterator[list[Record]]:
    config = load_instance(instance).partner_center
    hook = PartnerCenterHook(config.conn_id, save_refresh_token=lambda _: None)
    await asyncio.to_thread(hook.prepare)
    async with hook.session(config) as session:
        async for page in stream.read(PartnerCenterClient(session, config)):
            yield page


async def _customers(client: PartnerCenterClient) -> AsyncIterator[list[Record]]:
    paths = load_mappings().customer_paths

    async def one(tenant: Any) -> list[Record]:
        found = await client.customer(tenant.tenant_id, paths)
        return [
            {
                **asdict(tenant),
                "domain_prefix": found.domain_prefix,
                "has_billing_profile": found.has_billing_profile,
                "has_delegated_access": found.has_delegated_access,
                "source": dict(found.source),
            }
        ]

    async for tenants in client.tenants():
        yield await _gather(one, tenants)


async def _subscriptions(client: PartnerCenterClient) -> AsyncIterator[list[Record]]:
    async def one(tenant: Any) -> list[Record]:
        found = await client.subscriptions(tenant.tenant_id)
        return [{"tenant_id": tenant.tenant_id, **asdict(each)} for each in found]

    async for tenants in client.tenants():
        yield await _gather(one, tenants)


async def _resellers(client: PartnerCenterClient) -> AsyncIterator[list[Record]]:
    yield [reseller.model_dump(mode="json") for reseller in await client.resellers()]


async def _gather(one: Callable[[Any], Any], tenants: list[Any]) -> list[Record]:
    """Ask for all tenants of a page at once; the session keeps its concurrency."""

    async def attempt(tenant: Any) -> list[Record]:
        try:
            found: list[Record] = await one(tenant)
        except RejectedRequestError as error:
            log.warning("Tenant %s is left out: %s", tenant.tenant_id, error)
            return []
        return found

    pages = await asyncio.gather(*map(attempt, tenants))
    return [record for page in pages for record in page]


def _object(keys: tuple[str, ...], **properties: object) -> dict[str, Any]:
    named = dict.fromkeys(keys, _KEY) | properties
    return {"type": "object", "properties": named, "required": list(keys)}


STREAMS = {
    "customers": Stream(
        ("tenant_id",),
        _object(
            ("tenant_id",),
            name=_TEXT,
            domain=_TEXT,
            relationship=_TEXT,
            domain_prefix=_TEXT,
            has_billing_profile=_FLAG,
            has_delegated_access=_FLAG,
            source={
                "type": "object",
                "properties": dict.fromkeys(load_mappings().customer_paths, _TEXT),
            },
        ),
        _customers,
    ),
    "subscriptions": Stream(
        ("tenant_id", "id"),
        _object(
            ("tenant_id", "id"),
            status=_TEXT,
            partner_id=_TEXT,
            name=_TEXT,
            ends_on={"type": ["string", "null"], "format": "date"},
            is_renewed=_FLAG,
        ),
        _subscriptions,
    ),
    "resellers": Stream(
        ("tenant_id", "mpn_id"), _object(("tenant_id", "mpn_id"), name=_TEXT), _resellers
    ),
}


def check(instance: str) -> tuple[bool, str]:
    """Say whether the source of an instance can be read, and what is wrong otherwise."""
    try:
        conn_id = load_instance(instance).partner_center.conn_id
    except ConfigurationError as error:
        return False, str(error)
    return PartnerCenterHook(conn_id).test_connection()


def main(arguments: list[str]) -> None:
    match arguments:
        case ["check", instance]:
            _write(check(instance))
        case ["describe"]:
            _write(
                {name: {"keys": one.keys, "schema": one.schema} for name, one in STREAMS.items()}
            )
        case ["read", instance, stream]:
            for record in records(instance, stream):
                _write(record)
        case _:
            sys.exit(__doc__)


def _write(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
