"""The inputs, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.cases import bodies, errors, heads, lists, sign_ins, texts, values

if TYPE_CHECKING:
    from tests.hostile.script import Case

KINDS = (heads, bodies, texts, values, lists, errors, sign_ins)
CASES: tuple[Case, ...] = tuple(case for kind in KINDS for case in kind.cases())
