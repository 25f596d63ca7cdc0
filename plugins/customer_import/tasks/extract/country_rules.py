"""Stores the address rules of the countries that a run's customers live in.

Validation asks nothing of Partner Center; what it needs of it is read here, once per run.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from customer_import.config.targets import COUNTRY_TARGET
from customer_import.errors import OutageError, RejectedRequestError, RetriableError
from customer_import.runs.reference_data import put_reference
from customer_import.text import trim
from customer_import.vocabulary import ReferenceName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from customer_import.partner_center.client import PartnerCenterClient
    from customer_import.partner_center.models import CountryRules
    from customer_import.runs.run import Run
    from customer_import.tasks.extract.staging import CustomerStaging

log = logging.getLogger(__name__)

_ISO2 = re.compile(r"[A-Z]{2}")


async def read_country_rules(
    run: Run, engine: Engine, client: PartnerCenterClient, staging: CustomerStaging
) -> None:
    """Store the address rules of the countries that occur; those without rules are left out."""
    countries = sorted(await asyncio.to_thread(_countries, run, staging))
    found = await asyncio.gather(*(_read_rules(client, country) for country in countries))
    rules = {
        country: own.model_dump(mode="json", by_alias=True)
        for country, own in zip(countries, found, strict=True)
        if own is not None
    }
    await asyncio.to_thread(put_reference, engine, run.key, ReferenceName.COUNTRY_RULES, rules)


async def _read_rules(client: PartnerCenterClient, country: str) -> CountryRules | None:
    try:
        return await client.country_rules(country)
    except (RejectedRequestError, RetriableError, OutageError) as error:
        log.info("No address rules for country %s: %s", country, error)
        return None


def _countries(run: Run, staging: CustomerStaging) -> set[str]:
    mapping = run.mappings.account.get(COUNTRY_TARGET)
    paths = mapping.sources if mapping else ()
    values = (_first(source, paths) for source in staging.sources())
    return {value for value in values if _ISO2.fullmatch(value)}


def _first(source: Mapping[str, object], paths: tuple[str, ...]) -> str:
    texts = (trim(str(source.get(path) or "")).upper() for path in paths)
    return next((text for text in texts if text), "")
