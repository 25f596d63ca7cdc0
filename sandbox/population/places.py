"""Where generated customers live: real cities, postal codes and phone numbers of valid form.

Phone numbers are random digits behind the country's code; names come from Faker. Nobody real is
meant.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from faker import Faker

from sandbox.geography import COUNTRIES

if TYPE_CHECKING:
    import random

_POOL_SIZE = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A country with its language and some of its cities.

    Attributes:
        country: ISO code.
        locale: Faker locale of its companies and people.
        share: Weight in the population.
        postal_mask: ``#`` a digit, ``@`` an upper-case letter.
        street: Form of a street address, with ``{n}`` for the number.
        cities: City and state code, state empty where the country has none.
    """

    country: str
    locale: str
    share: int
    postal_mask: str
    street: str
    cities: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NamePool:
    """Invented companies and people of one locale."""

    companies: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


_ROWS = """
US|en_US|20|#####|{n} Main Street|Redmond:WA,Austin:TX,Denver:CO,Albany:NY,Portland:OR,Tampa:FL
GB|en_GB|10|@@# #@@|{n} High Street|Leeds:,Bristol:,Cardiff:,Glasgow:
DE|de_DE|9|#####|Hauptstraße {n}|München:,Köln:,Lübeck:,Düsseldorf:
GR|el_GR|8|#####|Οδός Ερμού {n}|Αθήνα:,Θεσσαλονίκη:,Πάτρα:
FR|fr_FR|6|#####|{n} rue de l'Église|Lyon:,Besançon:,Orléans:
IN|en_IN|5|######|{n} MG Road|Mumbai:MH,Bengaluru:KA,Pune:MH,Chennai:TN
BR|pt_BR|5|#####-###|Avenida Brasil, {n}|São Paulo:SP,Curitiba:PR,Belo Horizonte:MG
AU|en_AU|5|####|{n} George Street|Sydney:NSW,Melbourne:VIC,Perth:WA
CA|en_CA|5|@#@ #@#|{n} Maple Avenue|Toronto:ON,Montréal:QC,Calgary:AB
CN|zh_CN|4|######|中山路{n}号|北京:BJ,上海:SH,广州:GD
JP|ja_JP|4|###-####|本町{n}丁目|東京:,大阪市:,札幌市:
AE|ar_AA|4|#####|شارع الوحدة {n}|دبي:,أبو ظبي:
UA|uk_UA|3|#####|вул. Шевченка, {n}|Київ:,Львів:,Одеса:
IL|he_IL|3|#######|רחוב הרצל {n}|תל אביב:,חיפה:
ES|es_ES|3|#####|Calle Mayor, {n}|Sevilla:,A Coruña:,Málaga:
IT|it_IT|3|#####|Via Roma, {n}|Torino:,Forlì:,Bari:
PL|pl_PL|3|##-###|ul. Długa {n}|Łódź:,Kraków:,Gdańsk:
NL|nl_NL|2|#### @@|Dorpsstraat {n}|Utrecht:,Breda:
SE|sv_SE|2|### ##|Storgatan {n}|Malmö:,Göteborg:
TR|tr_TR|2|#####|Atatürk Caddesi {n}|İzmir:,Eskişehir:
"""


def _place(row: str) -> Place:
    country, locale, share, mask, street, cities = row.split("|")
    pairs = tuple((city, state) for city, _, state in (c.partition(":") for c in cities.split(",")))
    return Place(country, locale, int(share), mask, street, pairs)


PLACES: dict[str, Place] = {place.country: place for place in map(_place, _ROWS.split("\n")[1:-1])}


@lru_cache(maxsize=64)
def name_pool(locale: str, seed: int) -> NamePool:
    """Invent companies and people for a locale, the same for the same seed."""
    fake = Faker(locale)
    fake.seed_instance(seed)
    return NamePool(
        companies=tuple(fake.company() for _ in range(_POOL_SIZE)),
        first_names=tuple(fake.first_name() for _ in range(_POOL_SIZE)),
        last_names=tuple(fake.last_name() for _ in range(_POOL_SIZE)),
    )


def postal_code(place: Place, rng: random.Random) -> str:
    """Make up a postal code of the country's form."""
    drawn = {"#": string.digits, "@": "ABCEGHJKLMNPRSTVXY"}
    return "".join(rng.choice(drawn[c]) if c in drawn else c for c in place.postal_mask)


def phone_number(place: Place, rng: random.Random) -> str:
    """Make up a phone number; North American ones without the country code."""
    code = COUNTRIES[place.country].calling_code
    if code == "1":
        return f"{rng.randint(201, 989)}555{rng.randint(100, 9999):04d}"
    return f"+{code} {rng.randint(20, 99)} {rng.randint(1_000_000, 9_999_999)}"
