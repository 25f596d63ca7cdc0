"""When so many customers of a run have the same trouble that it is the run's: one rule for every such limit."""

from __future__ import annotations

SMALLEST_JUDGED_RUN = 20
"""With fewer customers a percentage says nothing: one of three would stop the run."""


def exceeds(count: int, discovered: int, percent: float, *, even_in_small: bool = False) -> bool:
    """Tell whether ``count`` of the discovered customers are more than a run may have.

    A limit of 0 % is always kept, one of 100 % never exceeded.

    Args:
        count: Customers with the trouble.
        discovered: All customers of the run.
        percent: The limit.
        even_in_small: Whether a run of fewer than ``SMALLEST_JUDGED_RUN`` customers has too many when it is all of
            them.
    """
    is_all = even_in_small and count == discovered
    is_judged = discovered >= SMALLEST_JUDGED_RUN or percent == 0 or is_all
    return is_judged and count * 100 > percent * discovered
