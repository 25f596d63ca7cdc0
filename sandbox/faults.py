"""Which requests go wrong, and how.

A plan is a list of rules; the first rule that strikes decides. Rules are drawn from their own
seeded generators, so that a run can be repeated. How a fault looks on the wire is `edge`'s
business.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class FaultKind(StrEnum):
    """What can go wrong.

    The first two answer properly but late: `DELAY` works after the wait, `ANSWER_LATE` works at
    once and answers after it. `RESET_BEFORE` cuts the connection before anything is done,
    `RESET_AFTER` does the work and loses the answer. `QUOTE` refuses for good with the status, and
    repeats in its error text what was sent: credentials, query, values. `MFA_REQUIRED` is Partner
    Center's 401 with code 900421; which calls it strikes is the rule's choice, because Microsoft
    enforces it step by step.
    """

    DELAY = "delay"
    ANSWER_LATE = "answer_late"
    THROTTLE = "throttle"
    STATUS = "status"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    TRUNCATE = "truncate"
    WRONG_JSON = "wrong_json"
    EMPTY_BODY = "empty_body"
    UNAUTHORIZED = "unauthorized"
    MFA_REQUIRED = "mfa_required"
    RATE_LIMIT_403 = "rate_limit_403"
    READ_ONLY_FIELD = "read_only_field"
    ENTRA_ERROR = "entra_error"
    QUOTE = "quote"


class RetryAfterForm(StrEnum):
    """How Retry-After is written."""

    SECONDS = "seconds"
    DATE = "date"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One thing that goes wrong.

    Attributes:
        endpoint: Name of an endpoint or a pattern such as ``bss.accounts.*``.
        kind: What happens.
        probability: Chance per matching request, when `calls` is empty.
        calls: Positions (from 1) among the matching requests that are struck.
        limit: How often the rule strikes at most; None means always.
        delay_s: Wait of `DELAY` and `ANSWER_LATE` in seconds.
        status: Status of `STATUS` and `QUOTE`.
        retry_after_s: Wait told by `THROTTLE`, and by `STATUS` when above 0.
        retry_after_form: How the wait is written.
        code: AADSTS number of `ENTRA_ERROR`.
    """

    endpoint: str
    kind: FaultKind
    probability: float = 1.0
    calls: tuple[int, ...] = ()
    limit: int | None = None
    delay_s: float = 0.0
    status: int = 503
    retry_after_s: int = 0
    retry_after_form: RetryAfterForm = RetryAfterForm.SECONDS
    code: int = 700082

    @classmethod
    def parse(cls, spec: str) -> FaultRule:
        """Read ``endpoint=bss.accounts.create,kind=reset_after,calls=3+7``.

        Raises:
            ValueError: When a name or a value is unknown, or endpoint or kind is missing.
        """
        return cls.from_values(dict(_pair(part) for part in spec.split(",")))

    @classmethod
    def parse_all(cls, specs: str) -> tuple[FaultRule, ...]:
        """Read several, separated by semicolons; none of an empty text.

        Raises:
            ValueError: As for `parse`.
        """
        return tuple(cls.parse(spec) for spec in specs.split(";") if spec.strip())

    @classmethod
    def from_values(cls, values: Mapping[str, object]) -> FaultRule:
        """Make a rule from named values, as text or as JSON gives them.

        Raises:
            ValueError: As for `parse`.
        """
        unknown = sorted(set(values) - set(_READERS))
        if unknown or not {"endpoint", "kind"} <= set(values):
            message = f"a fault needs endpoint and kind; unknown: {', '.join(unknown) or 'none'}"
            raise ValueError(message)
        read = {name: _READERS[name](value) for name, value in values.items()}
        return cls(**read)


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _positions(value: object) -> tuple[int, ...]:
    parts = value.split("+") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        message = "calls needs a list of positions"
        raise ValueError(message)  # noqa: TRY004 - callers expect one kind of error
    return tuple(int(part) for part in parts if part != "")


_READERS: dict[str, Callable[[object], Any]] = {  # Any: each gives its own field's type
    "endpoint": str,
    "kind": lambda value: FaultKind(str(value)),
    "probability": lambda value: float(str(value)),
    "calls": _positions,
    "limit": lambda value: None if value in {None, ""} else int(str(value)),
    "delay_s": lambda value: float(str(value)),
    "status": lambda value: int(str(value)),
    "retry_after_s": lambda value: int(str(value)),
    "retry_after_form": lambda value: RetryAfterForm(str(value)),
    "code": lambda value: int(str(value)),
}


@dataclass(slots=True)
class _Armed:
    rule: FaultRule
    rng: random.Random
    seen: int = 0
    struck: int = 0
    endpoints: dict[str, bool] = field(default_factory=dict)

    def matches(self, endpoint: str) -> bool:
        known = self.endpoints.get(endpoint)
        if known is None:
            known = self.endpoints[endpoint] = fnmatchcase(endpoint, self.rule.endpoint)
        return known

    def strikes(self) -> bool:
        self.seen += 1
        if self.rule.limit is not None and self.struck >= self.rule.limit:
            return False
        hit = (
            self.seen in self.rule.calls
            if self.rule.calls
            else self.rng.random() < self.rule.probability
        )
        self.struck += hit
        return hit


class FaultPlan:
    """The rules in force and how often they struck."""

    def __init__(self, seed: int, rules: Iterable[FaultRule] = ()) -> None:
        """Arm the rules."""
        self._seed = seed
        self.counts: Counter[str] = Counter()
        self._armed: list[_Armed] = []
        self.replace(rules)

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in force."""
        return tuple(armed.rule for armed in self._armed)

    def replace(self, rules: Iterable[FaultRule]) -> None:
        """Put other rules in force, with fresh positions; the counts stay."""
        self._armed = [
            _Armed(rule, random.Random(f"{self._seed}:fault:{number}"))  # noqa: S311 - must be the same at every start
            for number, rule in enumerate(rules)
        ]

    def pick(self, endpoint: str) -> FaultRule | None:
        """Return the rule that strikes this request, if any, and count it."""
        picked: FaultRule | None = None
        for armed in self._armed:
            if armed.matches(endpoint) and armed.strikes() and picked is None:
                picked = armed.rule
                self.counts[f"{endpoint} {picked.kind}"] += 1
        return picked
