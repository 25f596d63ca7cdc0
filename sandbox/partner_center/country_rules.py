"""Country validation rules, in the shape recorded from the live service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from sandbox.geography import COUNTRIES
from sandbox.wire import BOM

if TYPE_CHECKING:
    from sandbox.geography import Country


def rules_body(iso_code: str) -> bytes | None:
    """Make the rules of a country, BOM included; None for an unknown country."""
    country = COUNTRIES.get(iso_code.upper())
    return None if country is None else BOM + orjson.dumps(_rules(country))


def _rules(country: Country) -> dict[str, object]:
    rules: dict[str, object] = {
        "iso2Code": country.code,
        "defaultCulture": country.culture,
        "isStateRequired": country.is_state_required,
        "supportedStatesList": [state.code for state in country.states],
        "supportedLanguagesList": sorted({"en", country.culture.split("-")[0]}),
        "supportedCulturesList": sorted({"en-US", country.culture}),
        "isPostalCodeRequired": country.postal_regex is not None,
        "isCityRequired": True,
        "isVatIdSupported": False,
        "isTaxIdSupported": False,
        "isTaxIdOptional": True,
        "countryCallingCodesList": [country.calling_code],
        "attributes": {"objectType": "CountryValidationRules"},
    }
    if country.postal_regex:
        rules["postalCodeRegex"] = country.postal_regex
    if country.phone_regex:
        rules["phoneNumberRegex"] = country.phone_regex
    return rules
