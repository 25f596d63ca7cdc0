"""Writes docs/reasons.md from what the library says of its reason codes: python -m tests.support.reasons_page."""

from __future__ import annotations

from pathlib import Path

from customer_import.reasons import REASONS

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"
_HEAD = """# Reasons

Why a customer has its outcome: what each reason code means, and what to do about it. A result has its code as
`reason_code`, and the pages lead from each reason to the same text (`customer-import/reasons`). Those that somebody
has to do something about come first.
"""


def reasons_page() -> str:
    """Return what the page has to be."""
    sections = (
        f"## {code}\n\n{reason.title}. Outcome: {', '.join(reason.outcomes)}.\n\n"
        f"**What it means:** {reason.meaning}\n\n**What to do:** {reason.to_do}\n"
        for code, reason in REASONS.items()
    )
    return "\n".join((_HEAD, *sections))


if __name__ == "__main__":
    PAGE.write_text(reasons_page(), encoding="utf-8")
