"""Whatever the BSS holds: a patch makes it hold the payload, the BSS takes it, and a second patch is empty."""

from __future__ import annotations

import orjson
from hypothesis import strategies as st

from customer_import.bss.patch import difference
from customer_import.config.mapping import load_mappings
from sandbox.bss.organisation import Organisation
from sandbox.bss.patch import apply_patch
from sandbox.bss.read_model import ReadModel
from sandbox.bss.setup import organisation_setup
from sandbox.bss.validation import Validator
from sandbox.journal import Journal
from tests.properties.counting import examined

ORGANISATION = Organisation(organisation_setup("provider", 1), Journal(None))
READER = ReadModel(ORGANISATION)
MAPPINGS = load_mappings().account

short = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40)
names = short.map(lambda text: f"N{text}")


@st.composite
def addresses(draw: st.DrawFn) -> dict[str, object]:
    country = draw(st.sampled_from(ORGANISATION.setup.countries))
    address: dict[str, object] = {"countryId": country.id}
    if draw(st.booleans()) and country.states:
        address["stateId"] = draw(st.sampled_from(country.states)).id
    for name in ("address", "city", "postCode"):
        if draw(st.booleans()):
            address[name] = draw(short)
    return address


accounts = st.fixed_dictionaries(
    {"name": names},
    optional={
        "email": st.sampled_from(["", "a@example.com", "b@example.com"]),
        "phone": short,
        "billingAddress": addresses(),
    },
)


@examined(accounts, accounts)
def test_patch_brings_any_account_to_any_payload(
    stored: dict[str, object], payload: dict[str, object]
) -> None:
    account = ORGANISATION.create_account(stored, {})
    try:
        record = orjson.loads(READER.account(account, has_custom_fields=True))
        patch = difference(payload, record, MAPPINGS)
        assert set(patch.before) == {op.path[1:].replace("/", ".") for op in patch.operations}
        values, _ = apply_patch(account.values, patch.as_json(), "test")
        taken = Validator(ORGANISATION, "test").account(values)
        changed = ORGANISATION.update_account(account, taken, {})
        record = orjson.loads(READER.account(changed, has_custom_fields=True))
        assert not difference(payload, record, MAPPINGS)
    finally:
        ORGANISATION.clear()
