"""The device code grant of Entra ID: what a command is told while a person signs in somewhere else.

There is no page to sign in on. What the person does is decided beforehand, by whoever runs the sandbox.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
_LETTERS = "BCDFGHJKLMNPQRSTVWXYZ23456789"


class Reply(StrEnum):
    """What the person at the browser does."""

    CONSENT = "consent"
    DECLINE = "decline"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The service account, and the person who signs in as it.

    Attributes:
        reply: What the person does.
        after_polls: How often the command asks before the person has done so.
        slow_downs: How often the command is first told to ask less often.
        has_mfa: Whether the sign-in has a second factor.
        shows_methods: Whether the token shows how the person signed in.
        has_role: Whether the account has an agent role in Partner Center.
        code_ttl_s: Seconds until a code expires.
        interval_s: Seconds that the command has to wait between two questions.
    """

    reply: Reply = Reply.CONSENT
    after_polls: int = 1
    slow_downs: int = 0
    has_mfa: bool = True
    shows_methods: bool = True
    has_role: bool = True
    code_ttl_s: float = 900.0
    interval_s: int = 1


class CodeState(StrEnum):
    """What the token endpoint answers to a device code, by Entra ID's names."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DECLINED = "authorization_declined"
    EXPIRED = "expired_token"
    UNKNOWN = "bad_verification_code"
    GRANTED = "granted"


@dataclass(slots=True)
class _Issued:
    resource: str
    ends_at: float
    polls: int = 0


class DeviceCodes:
    """Device codes and what became of them; each is good for one grant."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Take the clock (Unix seconds)."""
        self.person = Person()
        self._now = now
        self._issued: dict[str, _Issued] = {}

    def begin(self, resource: str) -> dict[str, object]:
        """Issue a code for an API, and answer as Entra ID does, without the address to open."""
        device_code = secrets.token_urlsafe(48)
        user_code = "".join(secrets.choice(_LETTERS) for _ in range(9))
        ttl_s = self.person.code_ttl_s
        self._issued[device_code] = _Issued(resource, self._now() + ttl_s)
        return {
            "user_code": user_code,
            "device_code": device_code,
            "expires_in": max(1, int(ttl_s)),
            "interval": self.person.interval_s,
        }

    def poll(self, device_code: str) -> tuple[CodeState, str]:
        """Say what became of a code, and which API it is for."""
        issued = self._issued.get(device_code)
        if issued is None:
            return CodeState.UNKNOWN, ""
        issued.polls += 1
        return self._state(device_code, issued), issued.resource

    def _state(self, device_code: str, issued: _Issued) -> CodeState:
        person = self.person
        if issued.ends_at <= self._now():
            return CodeState.EXPIRED
        if issued.polls <= person.slow_downs:
            return CodeState.SLOW_DOWN
        is_waiting = issued.polls <= person.slow_downs + person.after_polls
        if is_waiting or person.reply is Reply.NOTHING:
            return CodeState.PENDING
        del self._issued[device_code]
        return CodeState.DECLINED if person.reply is Reply.DECLINE else CodeState.GRANTED
