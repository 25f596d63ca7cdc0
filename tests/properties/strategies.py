"""Data as bad as it gets: what stands where text is due, and customers made of it."""

from __future__ import annotations

import string
import uuid
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    import random

NASTY_TEXTS = (
    "",
    " ",
    "\t\n",
    "\0",
    "A\0B",
    "\ufeffNorthwind",
    'O\'Brien "& Sons"',
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    '=HYPERLINK("http://example.com")',
    "+SUM(A1)",
    "@cmd",
    "שלום\u200f עולם",
    "\u202eevil\u202c",
    "👩‍👩‍👧‍👦 Family Ltd",
    "e\u0301" * 40,
    "x" * 10_000,
    "🙂" * 10_000,
    "Straße İstanbul ﬃ",
    "null",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999Z",
    "a@b",
    "office@northwind.example",
    "@@example..com",
    "us",
    "US",
    "Us ",
    "gr",
    "ZZ",
    "USA",
    "WA",
    "wa",
    "98052",
    "425-555-0100",
    "'; DROP TABLE tenant_links; --",
    "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "tenant.onmicrosoft.com",
    ".onmicrosoft.com",
)
NASTY_VALUES: tuple[Any, ...] = (
    *NASTY_TEXTS,
    None,
    True,
    False,
    0,
    -1,
    42,
    1.5,
    10**18,
    [],
    ["x"],
    {},
    {"value": "x"},
)

texts = st.one_of(
    st.sampled_from(NASTY_TEXTS),
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.text(string.ascii_letters + " .-'", min_size=1, max_size=30),
)
scalars = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), scalars, max_size=3),
)


@st.composite
def guids(draw: st.DrawFn) -> str:
    """A GUID in any case."""
    text = str(uuid.UUID(int=draw(st.integers(0, 2**128 - 1))))
    return draw(st.sampled_from((text, text.upper(), text.title())))


def _profile(names: tuple[str, ...], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = dict.fromkeys(names, values)
    return st.one_of(values, st.fixed_dictionaries({}, optional={**fields, **more}))


addresses = _profile(
    (
        "addressLine1",
        "city",
        "state",
        "country",
        "postalCode",
        "phoneNumber",
        "firstName",
        "lastName",
    )
)
customers = st.fixed_dictionaries(
    {"id": st.one_of(guids(), values)},
    optional={
        "companyProfile": _profile(("companyName", "domain", "tenantId")),
        "billingProfile": _profile(
            ("email", "firstName", "lastName", "companyName"), defaultAddress=addresses
        ),
        "customDomains": values,
        "relationshipToPartner": values,
        "userCredentials": values,
    },
)
subscriptions = st.fixed_dictionaries(
    {}, optional={"id": values, "status": values, "partnerId": values}
)


def any_value(rng: random.Random) -> Any:
    """Draw a bad value without Hypothesis, where thousands are needed at once."""
    if rng.random() < 0.6:
        return rng.choice(NASTY_VALUES)
    codes = (rng.choice((rng.randrange(32, 127), rng.randrange(160, 0xD7FF))) for _ in range(40))
    return "".join(map(chr, codes))[: rng.randrange(40)]
