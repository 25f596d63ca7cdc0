"""Reads tenant markers: what people and tools enter in the field is a key, however it is written. Pure.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

import re
import unicodedata

from customer_import.text import trim, without_format

MARKER_LENGTH = 64
_AROUND = re.compile(r"urn:uuid:|[\s\-\u2010-\u2015{}()\[\]<>\"']")
_HEX = re.compile(r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")
_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def marker_key(marker: str | None) -> str | None:
    """Return the tenant id that a marker means, as tenants are known; ``None`` when it is blank.

    Braces, invisible characters, missing hyphens and capitals make no difference. Text that means no tenant id is
    returned in lower case.
    """
    text = trim(without_format(marker or "")).lower()
    digits = _HEX.fullmatch(_AROUND.sub("", unicodedata.normalize("NFKC", text)))
    return "-".join(digits.groups()) if digits else text[:MARKER_LENGTH] or None


def is_tenant_id(key: str) -> bool:
    """Whether what ``marker_key`` returned is a tenant id; otherwise a person has to say what was meant."""
    return _TENANT_ID.fullmatch(key) is not None
