"""Which partner ids belong to authorised resellers: those of the resellers, and their other locations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from sandbox.partner_center.errors import bad_input
from sandbox.wire import BOM

if TYPE_CHECKING:
    from sandbox.partner_center.source import Source
    from sandbox.population.models import Json

_NOT_AUTHORISED = "The PLA ID is not associated with an authorised indirect reseller."


def validation_body(source: Source, sent: bytes) -> bytes:
    """Make the answer to ``{"partnerIds": [...]}``, BOM included.

    Raises:
        WireError: 400 when the ids are no list of digits in texts.
    """
    try:
        body = orjson.loads(sent)
        ids = body["partnerIds"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise bad_input(description="partnerIds is missing.") from error
    if not isinstance(ids, list) or not ids or not all(map(_is_id, ids)):
        raise bad_input(description="partnerIds needs a list of ids.")
    known = {reseller.mpn_id for reseller in source.resellers.values()} | source.other_locations
    results = [_result(each, is_valid=each in known) for each in ids]
    return BOM + orjson.dumps({"validationResults": results})


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()


def _result(partner_id: str, *, is_valid: bool) -> Json:
    result: Json = {"partnerId": partner_id, "isValidPartnerIdOnRecord": is_valid}
    if not is_valid:
        result |= {"errorCode": 900400, "errorDescription": _NOT_AUTHORISED}
    return result
