"""When so many customers of a run have the same trouble that it is the run's: one rule for every such limit."""

from __future__ import annotations

SMALLEST_JUDGED_RUN = 20
"""With fewer customers a percentage says nothing: one of three would stop the run."""


def is_too_many(
    count: int, total: int, limit_percent: float, *, even_in_small: bool = False
) -> bool:
    """Tell whether ``count`` of ``total`` customers are more than a limit in percent allows.

    A limit of 0 % is always kept, one of 100 % never exceeded.

    Args:
        count: Customers with the trouble.
        total: Customers that may have it.
        limit_percent: The limit.
        even_in_small: Whether fewer than ``SMALLEST_JUDGED_RUN`` customers are too many when it is all of them.
    """
    is_all = even_in_small and count == total
    is_judged = total >= SMALLEST_JUDGED_RUN or limit_percent == 0 or is_all
    return is_judged and count * 100 > limit_percent * total
