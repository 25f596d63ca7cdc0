"""What a country asks of an address: Partner Center's country rules, made ready to test many rows.

The patterns come from outside and were written for another regular-expression engine. Here they run in
RE2, which takes linear time whatever the pattern; one that RE2 does not take (it looks ahead or back, or
refers back) is not used, and that is said: no check is better than a wrong or endless one. No rules, no
check.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import re2

from customer_import.text import trim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from customer_import.bss.models import Organisation
    from customer_import.partner_center.models import CountryRules

_log = logging.getLogger(__name__)

_LONGEST_CHECKED = 64
_LONGEST_PATTERN = 1_000
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
Patterns = dict[str, Any]  # Any: a compiled pattern of RE2, which has no types


@dataclass(frozen=True)
class CountryChecks:
    """Country rules by upper-case ISO 3166-1 alpha-2 code, with the states that the BSS organisation knows."""

    rules: Mapping[str, CountryRules]
    organisation: Organisation

    def postal_codes_fit(
        self, texts: Sequence[str | None], codes: Sequence[str | None]
    ) -> list[bool]:
        """Tell per row whether the postal code fits its country's pattern; true where there is nothing to check."""
        return _fits(texts, codes, self._postal_patterns)

    def phones_fit(self, texts: Sequence[str | None], codes: Sequence[str | None]) -> list[bool]:
        """The same for phone numbers."""
        return _fits(texts, codes, self._phone_patterns)

    def needs_city(self, code: str | None) -> bool:
        """Whether a missing city is worth a word; only a country's rules can say that it is not."""
        rules = self.rules.get(code or "")
        return rules is None or rules.is_city_required

    def needs_postal_code(self, code: str | None) -> bool:
        """The same for the postal code."""
        rules = self.rules.get(code or "")
        return rules is None or rules.is_postal_code_required

    def needs_state(self, code: str | None) -> bool:
        """Whether the country needs a state; without rules, whether the BSS has states of that country."""
        rules = self.rules.get(code or "")
        return code in self._countries_with_states if rules is None else rules.is_state_required

    @cached_property
    def _countries_with_states(self) -> frozenset[str]:
        return frozenset(
            trim(country.code).upper() for country in self.organisation.countries if country.states
        )

    @cached_property
    def _postal_patterns(self) -> Patterns:
        found = {
            code: _compile(rules.postal_code_regex, code)
            for code, rules in self.rules.items()
            if rules.is_postal_code_required and rules.postal_code_regex
        }
        return {code: pattern for code, pattern in found.items() if pattern is not None}

    @cached_property
    def _phone_patterns(self) -> Patterns:
        found = {
            code: _compile(rules.phone_number_regex or _dialled(rules), code)
            for code, rules in self.rules.items()
        }
        return {code: pattern for code, pattern in found.items() if pattern is not None}


def _dialled(rules: CountryRules) -> str:
    """A country without a phone pattern: digits and the usual separators, any calling code being the country's own."""
    calling_codes = "|".join(re2.escape(code) for code in rules.calling_codes) or r"\d"
    return rf"^(?:(?:\+|00) ?(?:{calling_codes}))?[\d ()./\-]{{4,}}$"


def _compile(pattern: str, country: str) -> Any | None:  # noqa: ANN401 - see Patterns
    try:
        if len(pattern) <= _LONGEST_PATTERN:
            return re2.compile(pattern, _OPTIONS)
    except re2.error:
        pass
    _log.warning(
        "A pattern in the rules of country %s cannot be used here (RE2); it is not checked.",
        country,
    )
    return None


def _fits(
    texts: Sequence[str | None], codes: Sequence[str | None], patterns: Patterns
) -> list[bool]:
    fits: dict[tuple[str | None, str | None], bool] = {}
    for pair in set(zip(texts, codes, strict=True)):  # neighbours share a postal code
        text, code = pair
        pattern = patterns.get(code or "")
        fits[pair] = (
            text is None
            or pattern is None
            or (len(text) <= _LONGEST_CHECKED and pattern.search(text) is not None)
        )
    return [fits[pair] for pair in zip(texts, codes, strict=True)]
