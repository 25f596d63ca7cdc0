"""What the transform makes of columns is what a person reads in the mapping, one customer and one field at a time."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_import.config.mapping import load_mappings
from customer_import.mapping.source_columns import source_columns
from customer_import.tasks.transform.entities import build_entities
from customer_import.text import trim, without_format
from customer_import.vocabulary import ImportType
from tests.tasks.validate.runs import (
    ADDRESS,
    GOOD,
    ORGANISATION,
    a_run,
    customer,
    organisation,
    rows_of,
)

SHIPPED = load_mappings()
TEXT_TRANSFORMS = {"trim": trim, "upper": str.upper, "lower": str.lower}
ENTITIES = ("account", "contact", "sync_options")


def text_of(value):
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, str | int | float) else ""
    return text if trim(text) else None


def picked(row, field):
    source = orjson.loads(row["source"]) | {
        "tenant.id": row["tenant_id"],
        "tenant.domainPrefix": row["domain_prefix"],
        "reseller.mpnId": row["reseller_mpn_id"],
        "run.responsibleUserId": ORGANISATION["responsible_user_id"],
        "run.permissionRuleId": ORGANISATION["permission_rule_id"],
    }
    text = next((text for path in field.sources if (text := text_of(source.get(path)))), None)
    for name in field.transforms:
        if text is not None and name in TEXT_TRANSFORMS:
            text = TEXT_TRANSFORMS[name](text)
    return text


def country_of(text: str | None) -> dict[str, Any] | None:
    code = trim(text or "").upper()
    countries: Any = ORGANISATION["countries"]
    return next((each for each in countries if each["code"] == code), None)


def state_of(country, text):
    key = trim(text or "").casefold()
    states = (country or {}).get("states", [])
    return next(
        (
            state["id"]
            for state in states
            if key in {state["code"].casefold(), state["name"].casefold()}
        ),
        None,
    )


def body_of(entity, row, mappings, import_type):
    fields = {
        target: field
        for target, field in getattr(mappings, entity).items()
        if import_type in field.import_types
    }
    texts = {target: picked(row, field) for target, field in fields.items()}
    country = country_of(texts.get("billingAddress.countryId"))
    body: dict[str, Any] = {}
    address: dict[str, Any] = {}
    for target, text in texts.items():
        if target.endswith(("UserId", "RuleId", "AccountId")):
            continue  # the shipped instance says that its BSS does not take them
        limit = fields[target].max_length
        value = without_format(text) if text and target in {"email", "phone"} else text
        is_known = True
        if "country_id" in fields[target].transforms:
            value = country and country["id"]
            is_known = text is None or value is not None
        elif "state_id" in fields[target].transforms:
            value = state_of(country, text) if text is not None else None
            is_known = text is None or value is not None
        elif value is not None and limit is not None and len(value) > limit and target != "email":
            value = value[:limit].rstrip()
        if is_known:  # null: Partner Center has no value; left out: not known
            nested = target.startswith("billingAddress.")
            (address if nested else body)[target.removeprefix("billingAddress.")] = value
    return body | ({"billingAddress": address} if address.get("countryId") else {})


def content_of(row, mappings, import_type):
    """What decides whether a customer is compared with the BSS: values by their rules, and the rules that decide."""
    content: list[tuple[Any, ...]] = []
    for entity in ENTITIES:
        body = body_of(entity, row, mappings, import_type)
        address = body.pop("billingAddress", None) or {}
        flat = body | {f"billingAddress.{name}": value for name, value in address.items()}
        fields = getattr(mappings, entity)
        for target, value in flat.items():
            update, empty = fields[target].on_update, fields[target].on_empty
            if update != "keep":
                content.append((entity, target, value))
            elif empty == "clear":
                content.append((entity, target, value is None))
            is_silent = update == empty == "keep"  # nothing is written, cleared or said
            rule = update if value is not None else "" if is_silent else empty
            content.append((entity, target, rule))
    return repr(content)


VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "us",
            " DE ",
            "AU",
            "XX",
            "wa",
            "Washington",
            " western australia",
            "x" * 300,
            "\0",
            "a\0b",
        ]
    ),
    st.sampled_from(["y" * 99 + " z", " \t", "\u3000", "ß", "İ"]),
    st.none(),
    st.integers(0, 99_999),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
)
CUSTOMERS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(sorted(GOOD)), VALUES),
        st.sampled_from([None, "", " north ", "north"]),
        st.sampled_from([None, "4847383"]),
    ),
    max_size=12,
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "fallbacks": st.lists(st.sampled_from(SHIPPED.customer_paths), max_size=2).map(tuple),
        "transforms": st.lists(st.sampled_from(sorted(TEXT_TRANSFORMS)), max_size=3).map(tuple),
        "max_length": st.integers(1, 20),
        "on_update": st.sampled_from(["overwrite", "keep", "fill"]),
        "on_empty": st.sampled_from(["keep", "clear"]),
        "import_types": st.just((ImportType.INDIRECT,)),
    },
)


@st.composite
def mappings_drawn(draw):
    """The shipped mappings with some of the plain text fields changed."""
    changed = {}
    for entity in ENTITIES:
        fields = dict(getattr(SHIPPED, entity))
        plain = [target for target in fields if not target.endswith("Id")]
        for target in draw(st.sets(st.sampled_from(plain))):
            fields[target] = fields[target].model_copy(update=draw(CHANGES))
        changed[entity] = fields
    return SHIPPED.model_copy(update=changed)


@given(CUSTOMERS, mappings_drawn(), st.sampled_from(list(ImportType)))
@settings(deadline=None, max_examples=60)
def test_the_bodies_are_what_the_mapping_says_of_each_customer(drawn, mappings, import_type):
    rows = [
        customer(
            number,
            source={ADDRESS + "country": "US"} | source,
            domain_prefix=domain_prefix,
            reseller_mpn_id=mpn_id,
        )
        for number, (source, domain_prefix, mpn_id) in enumerate(drawn)
    ]
    run = a_run(import_type, mappings)
    entities = build_entities(
        source_columns(rows_of(rows), run, organisation()), run, organisation()
    )
    made = dict(
        zip(ENTITIES, (entities.accounts, entities.contacts, entities.sync_options), strict=True)
    )
    for entity in ENTITIES:
        assert [orjson.loads(body) for body in made[entity]] == [
            body_of(entity, row, mappings, import_type) for row in rows
        ]
    # Two customers have one content hash exactly when an update would do the same for both.
    contents = [content_of(row, mappings, import_type) for row in rows]
    hashes = entities.content_hashes
    assert [[a == b for b in contents] for a in contents] == [
        [a == b for b in hashes] for a in hashes
    ]
