"""How many examples each property is tried with, and how many were."""

from __future__ import annotations

import os
from collections import Counter
from functools import wraps
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

EXAMPLES_VARIABLE = "PROPERTY_EXAMPLES"
DATABASE_VARIABLE = "PROPERTY_DATABASE"
EXAMPLES = int(os.environ.get(EXAMPLES_VARIABLE, "300"))

tried: Counter[str] = Counter()


def examined(
    *strategies: SearchStrategy[Any], per_call: int = 1
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Try a property with generated examples.

    Args:
        strategies: Of its last arguments; those before them are fixtures.
        per_call: Examples that one call looks at.
    """

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        name = check.__name__.removeprefix("test_")

        @wraps(check)
        def counted(*arguments: Any, **named: Any) -> None:
            tried[name] += per_call
            check(*arguments, **named)

        profile = settings(
            max_examples=-(-EXAMPLES // per_call),
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        return profile(given(*strategies)(counted))

    return decorate
