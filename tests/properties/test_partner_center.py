"""Whatever Partner Center answers: a page, a customer, a tenant is read or refused in words, and never lost."""

from __future__ import annotations

import asyncio

import orjson
from hypothesis import example
from hypothesis import strategies as st

from customer_import.config.mapping import load_mappings
from customer_import.errors import ApiError, RetriableError
from customer_import.partner_center.client import _parse_subscription, _parse_tenant, _tenant_key
from customer_import.partner_center.flatten import find_domain_prefix, flatten_customer
from customer_import.partner_center.paging import Link, Page, list_pages, parse_page
from customer_import.text import trim, without_format
from tests.properties.counting import examined
from tests.properties.strategies import customers, guids, subscriptions, texts, values

PATHS = load_mappings().customer_paths


@examined(
    st.one_of(
        st.binary(max_size=200),
        values.map(orjson.dumps),
        st.fixed_dictionaries(
            {"items": st.one_of(st.lists(customers, max_size=3), values)},
            optional={
                "links": st.one_of(
                    values,
                    st.fixed_dictionaries(
                        {}, optional={"next": st.one_of(values, st.just({"uri": "/x?a?b"}))}
                    ),
                ),
                "totalCount": values,
            },
        ).map(orjson.dumps),
    ),
    st.booleans(),
)
def test_page_parsing_reads_or_refuses_in_words(body: bytes, has_bom: bool) -> None:
    try:
        page = parse_page(b"\xef\xbb\xbf" + body if has_bom else body)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert len(refusal) < 300
        return
    assert len(page.items) == len(orjson.loads(body).get("items") or ())
    assert page.next is None or page.next.path.startswith("/")


@examined(
    st.lists(st.lists(guids(), max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(1, 8), max_size=3),
)
@example(pages=[["00000000-0000-0000-0000-000000000000"]] * 4 + [[]], failures=[])
def test_page_walking_gives_every_tenant_once_however_often_it_starts_again(
    pages: list[list[str]], failures: list[int]
) -> None:
    calls = 0

    async def read(link: Link) -> Page:
        nonlocal calls
        calls += 1
        if calls in failures and link.path != "/v1/p0":
            reason = "the page is lost"
            raise RetriableError(reason, service="test", endpoint="GET /v1")
        number = int(link.path.removeprefix("/v1/p"))
        following = Link(f"/v1/p{number + 1}") if number + 1 < len(pages) else None
        items = tuple({"id": tenant, "page": number} for tenant in pages[number])
        return Page(items, following)

    async def walk() -> list[str]:
        found = list_pages(read, "/v1/p0", identify=_tenant_key)
        return [str(_tenant_key(item)) async for page in found for item in page]

    try:
        given = asyncio.run(walk())
    except ApiError:
        assert failures or _repeats(pages), "a page was lost that nobody took away"
        return
    assert sorted(given) == sorted({tenant.lower() for page in pages for tenant in page})


def _repeats(pages: list[list[str]]) -> bool:
    """Tell whether three pages in a row give nothing new and name a next one: then the list is refused."""
    given: set[str] = set()
    stale = 0
    for page in pages[:-1]:
        tenants = {tenant.lower() for tenant in page}
        stale = stale + 1 if tenants and tenants <= given else 0
        if stale == 3:
            return True
        given |= tenants
    return False


@examined(customers, st.booleans())
def test_customer_parsing_reads_or_refuses_in_words(
    customer: dict[str, object], has_bom: bool
) -> None:
    body = orjson.dumps(customer)
    try:
        flat = flatten_customer(b"\xef\xbb\xbf" + body if has_bom else body, paths=PATHS)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.endswith("not an object")
        return
    assert set(flat.source) <= set(PATHS)
    assert b"userCredentials" not in flat.body or "userCredentials" not in orjson.loads(flat.body)
    assert "\\u0000" not in orjson.dumps(flat.source).decode() or any(
        isinstance(value, list | dict) for value in flat.source.values()
    )


@examined(customers, subscriptions)
def test_tenant_parsing_gives_everybody_an_id(
    item: dict[str, object], subscription: dict[str, object]
) -> None:
    tenant = _parse_tenant(item)
    assert tenant.tenant_id == trim(tenant.tenant_id.lower()) != ""
    assert len(tenant.tenant_id) <= 64
    assert _parse_subscription(subscription).status == trim(
        _parse_subscription(subscription).status
    )


@examined(st.lists(st.one_of(texts, texts.map(lambda t: f"{t}.onmicrosoft.com")), max_size=5))
def test_domain_prefix_is_never_blank_or_of_a_foreign_domain(domains: list[str]) -> None:
    prefix = find_domain_prefix(list(domains))
    assert prefix is None or (
        0 < len(prefix) <= 250
        and "." not in prefix
        and any(prefix in without_format(d).lower() for d in domains)
    )
