"""``python -m tests.canary``: which places were searched for marked secrets and personal values, and what was found."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.canary.imports import run_imports
from tests.canary.places import search


def main() -> int:
    """Run the imports, search, say what was searched; 0 when there was much to search and nothing to find."""
    with tempfile.TemporaryDirectory(prefix="customer-import-canary-") as folder:
        imports = run_imports(Path(folder))
        places = search(imports.evidence, imports.marks)
    for name, state in imports.states.items():
        _say(f"import, {name}: {state}")
    for place in places:
        _say(f"places scanned: {place}" + (" void: nothing was there" if place.is_void else ""))
        for hit in place.hits:
            _say(f"    {hit.mark}, {hit.form}, in {hit.where}")
    hits = sum(len(place.hits) for place in places)
    _say(f"canary: places={len(places)} hits={hits}")
    return 1 if hits or any(place.is_void for place in places) else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
