"""Texts of a configuration that have a form of their own: a mistyped one would be taken silently for another."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from customer_import.config.messages import WrongValueError
from customer_import.hints import choose

SUBSCRIPTION_STATUSES: Final = (
    "active",
    "suspended",
    "pending",
    "deleted",
    "expired",
    "disabled",
    "none",
    "provisioning",
)
_MPN_ID = re.compile(r"[0-9]{1,20}")


def check_mpn_id(text: str) -> str:
    """Return an MPN ID, or blank text, as it is.

    Raises:
        WrongValueError: It is none.
    """
    if text.strip() and not _MPN_ID.fullmatch(text.strip()):
        message = f"{text[:40]!r} is not an MPN ID"
        raise WrongValueError(message, "an MPN ID is digits alone")
    return text


def _check_status(text: str) -> str:
    if text.strip().lower() not in SUBSCRIPTION_STATUSES:
        message = f"there is no subscription status {text[:40]!r}"
        raise WrongValueError(message, choose(text.strip().lower(), SUBSCRIPTION_STATUSES))
    return text


def check_address(text: str | None, place: str) -> str | None:
    """Return the address of a record's page, with a place for the record's id.

    Raises:
        WrongValueError: The browser would not follow it, or it has no such place.
    """
    if not text:
        return text
    if not text.startswith(("https://", "http://")):
        message = "the address does not begin with https://"
        raise WrongValueError(message, "copy it from the browser")
    if f"{{{place}}}" not in text:
        message = f"the address has no place {{{place}}}"
        raise WrongValueError(message, f"write {{{place}}} where the id stands")
    return text


MpnId = Annotated[str, AfterValidator(check_mpn_id)]
SubscriptionStatus = Annotated[str, AfterValidator(_check_status)]
