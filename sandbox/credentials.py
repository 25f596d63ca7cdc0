"""Credentials of the sandbox, derived from its seed.

The same seed gives the same credentials, so that a restarted sandbox takes what its clients hold.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartnerCredentials:
    """How the importer signs in at Entra ID."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    signing_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrganisationCredentials:
    """How the importer signs in at one BSS organisation."""

    username: str
    password: str = field(repr=False)
    client_key: str
    client_secret: str = field(repr=False)


def guid(rng: random.Random) -> str:
    """Draw a random lower-case GUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def partner_credentials(seed: int) -> PartnerCredentials:
    """Derive the partner tenant, its application and the token signing key."""
    rng = random.Random(f"{seed}:partner")  # noqa: S311 - must be the same at every start
    return PartnerCredentials(
        tenant_id=guid(rng),
        client_id=guid(rng),
        client_secret=f"partner~{rng.getrandbits(128):032x}",
        signing_key=rng.randbytes(32),
    )


def organisation_credentials(seed: int, organisation: str) -> OrganisationCredentials:
    """Derive user and client of one BSS organisation."""
    rng = random.Random(f"{seed}:{organisation}")  # noqa: S311 - must be the same at every start
    return OrganisationCredentials(
        username=f"importer@{organisation.replace('_', '-')}.example",
        password=f"user~{rng.getrandbits(96):024x}",
        client_key=f"key-{rng.getrandbits(64):016x}",
        client_secret=f"secret~{rng.getrandbits(96):024x}",
    )
