"""The closing table in the log of ``finish_run``, and who waits for a person: people read task logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from customer_import.tasks.finish.to_mend import MENDS
from customer_import.vocabulary import DRIFT, DriftKind, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from customer_import.tasks.finish.comparison import Comparison
    from customer_import.tasks.finish.previewed import PreviewComparison
    from customer_import.tasks.finish.summary import Summary
    from customer_import.tasks.finish.to_mend import ToMend

log = logging.getLogger(__name__)


def log_summary(summary: Summary) -> None:
    """Log what a run came to."""
    log.info(
        "%s import, instance %s, mode %s: %s",
        summary.import_type,
        summary.instance,
        summary.mode,
        summary.state,
    )
    log.info("  %-14s %8d", "listed", summary.listed)
    log.info("  %-14s %8d", "discovered", summary.discovered)
    if summary.unclassified:
        log.warning(
            "  %-14s %8d (no answer told whose they are; not discovered)",
            "unclassified",
            summary.unclassified,
        )
    if summary.scope:
        log.info("  scope %s: %s", summary.scope, summary.scope_reason)
    if summary.carried:
        log.info("  %-14s %8d", "not read again", summary.carried)
    if summary.vanished:
        log.warning(
            "  %-14s %8d (no longer in Partner Center; accounts stay)", "vanished", summary.vanished
        )
    if summary.waiting:
        log.warning("  %-14s %8d (decide in the matching queue)", "waiting", summary.waiting)
    for outcome, count in summary.outcomes.items():
        if count or not outcome.startswith("would_"):
            log.info("  %-14s %8d", outcome, count)
    for code, count in summary.reasons.items():
        log.info("  reason %-26s %8d", code, count)
    _log_fields(summary)
    if summary.drift is not None:
        _log_drift(summary.drift)
    for task, seconds in summary.durations_s.items():
        log.info("  %-20s %8.1f s", task, seconds)
    if summary.error:
        log.error("The run failed: %s", summary.error)


_WHAT = {
    "changed": ("would change", "changed"),
    "emptied": ("would empty", "emptied"),
    "left_alone": ("would leave alone", "left alone"),
}
_NAMED = 20


def _log_fields(summary: Summary) -> None:
    """Log per field how many customers it was changed for, or would be."""
    for group, counts in summary.fields.items():
        for name, count in counts.items():
            would, did = _WHAT[group]
            log.info(
                "  %-17s %-26s %8d", would if summary.mode == Mode.PREVIEW else did, name, count
            )


def _log_drift(drift: dict[str, Any]) -> None:
    """Log what a check compared and found; the page Drift names the customers."""
    log.info(
        "  %d customers linked, %d compared with what was written, %d changed in Partner Center since and not compared",
        drift["linked"],
        drift["compared"],
        drift["changed"],
    )
    if not drift["found"]:
        log.info("  no drift")
    for kind, count in drift["found"].items():
        log.warning("  drift %-21s %8d  %s", kind, count, DRIFT[DriftKind(kind)].to_do)


def log_previewed(previewed: PreviewComparison) -> None:
    """Log what became of what a preview said, and name those that were treated otherwise."""
    counts = previewed.as_dict()
    log.info(
        "Compared with the preview %s: %s of %s customers as it said",
        previewed.run,
        counts["as_previewed"],
        previewed.customers,
    )
    if previewed.otherwise:
        more = len(previewed.otherwise) - _NAMED
        log.warning(
            "  otherwise, each with its reason in its result, or no longer in Partner Center: %s%s",
            ", ".join(previewed.otherwise[:_NAMED]),
            f" and {more} more" if more > 0 else "",
        )


def log_comparison(comparison: Comparison) -> None:
    """Log in one line how a run's customers follow from those of the run before."""
    log.info(
        "Compared with run %s: %s discovered then, %s new, %s vanished, %s left out, %s moved away, "
        "%s of whom nobody could tell; %s now, %s to another reseller",
        comparison.run_key,
        comparison.then,
        comparison.new,
        comparison.vanished,
        comparison.left_out,
        comparison.moved_away,
        comparison.untold,
        comparison.now,
        comparison.to_another,
    )


def log_to_mend(to_mend: Sequence[ToMend], results_url: str) -> None:
    """Log the customers that need a person, by what that person has to do."""
    if not to_mend:
        return
    log.warning("Customers that need a person: %d", sum(group.count for group in to_mend))
    for group in to_mend:
        log.warning("  %s, %d: %s", group.reason_code, group.count, MENDS[group.reason_code])
        for name in group.named:
            log.warning("    %s", name)
        if group.count > len(group.named):
            log.warning("    and %d more", group.count - len(group.named))
    log.warning("All of them, with their reasons: %s", results_url)
