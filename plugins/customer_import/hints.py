"""What to do about a name that is not known: the nearest known one, else all of them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like another; ``None`` when none is like it."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def choose(name: str, known: Iterable[str], otherwise: str = "choose one of") -> str:
    """Return the hint for an unknown name: ``did you mean 'x'?``, else the known names.

    Args:
        name: As a person wrote it.
        known: What it may be.
        otherwise: What stands before the known names when none is like it.
    """
    known = list(known)
    if (close := nearest(name, known)) is not None:
        return f"did you mean {close!r}?"
    return f"{otherwise}: {', '.join(sorted(known)) or 'there are none'}"
