"""The failpoints of a load, by what a load does there, and the environment that arms one."""

from __future__ import annotations

from customer_import.failpoints import FAILPOINTS, KILL_VARIABLE, TESTING_VARIABLE

_FIRST = FAILPOINTS.index("before_account_post")
_LAST = FAILPOINTS.index("after_sync_options_post")
CREATE_FAILPOINTS = (*FAILPOINTS[_FIRST : _LAST + 1], "after_outcome")
UPDATE_FAILPOINTS = tuple(name for name in FAILPOINTS if name.endswith("_patch"))


def armed(failpoint: str) -> dict[str, str]:
    """Name what a process needs in its environment to kill itself at ``name`` or ``name:count``."""
    return {KILL_VARIABLE: failpoint, TESTING_VARIABLE: "1"}
