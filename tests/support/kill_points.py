"""The named points of a load, by what a load does there."""

from __future__ import annotations

from customer_import.failpoints import POINTS

_FIRST, _LAST = POINTS.index("before_account_post"), POINTS.index("after_sync_options_post")
CREATE_POINTS = (*POINTS[_FIRST : _LAST + 1], "after_outcome")
UPDATE_POINTS = tuple(point for point in POINTS if point.endswith("_patch"))
