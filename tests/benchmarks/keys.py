"""The figures that a benchmark shows, each with its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One figure."""

    name: str
    target: float
    is_floor: bool
    meaning: str

    def is_met(self, value: float) -> bool:
        return value >= self.target if self.is_floor else value <= self.target


def _at_least(name: str, target: float, meaning: str) -> Key:
    return Key(name, target, is_floor=True, meaning=meaning)


def _at_most(name: str, target: float, meaning: str) -> Key:
    return Key(name, target, is_floor=False, meaning=meaning)


KEYS = (
    _at_least("extract_vs_bare_c16", 0.95, "bare loop's time / ours, 16 at once"),
    _at_least("extract_vs_bare_c64", 0.80, "bare loop's time / ours, 64 at once"),
    _at_least("extract_vs_dlt_c64", 2.2, "dlt's time / ours, 64 at once"),
    _at_least("extract_vs_sequential_c16", 14, "one after another / ours at 16"),
    _at_most("extract_cpu_vs_bare", 2.5, "our client CPU / bare's, per customer"),
    _at_least("limit_share_fixed", 0.95, "ideal time / ours, fixed windows"),
    _at_least("limit_share_sliding", 0.95, "ideal time / ours, sliding windows"),
    _at_most("limit_throttled", 0, "429 answers in those runs"),
    _at_least("load_vs_bare_c16", 0.93, "bare writes' time / ours, 16 at once"),
    _at_least("load_vs_bare_c64", 0.70, "bare writes' time / ours, 64 at once"),
    _at_least("load_vs_dlt_c16", 1.0, "dlt destination's time / ours"),
    _at_most("validate_vs_gx", 1.5, "our validation stage / bare Great Expectations"),
    _at_most(
        "validate_vs_same_work", 1, "the same / a plain run that reads and writes the database"
    ),
    _at_least("transform_vs_normalize", 2.5, "json_normalize and mapping / our transform"),
    _at_most("memory_ratio", 1.2, "peak memory of the largest task, many / few customers"),
    _at_most("recurring_requests_share", 0.005, "requests, nothing changed / full run"),
    _at_most("recurring_1pct_requests_share", 0.02, "requests, 1 % changed / full run"),
    _at_most("bss_requests_unchanged", 0, "BSS requests for customers, nothing changed"),
    _at_most("parse_vs_empty", 3, "parse time of our DAG files / of an empty one"),
    _at_most("parse_vs_same_shape", 1.05, "the same / of one with as many tasks that do nothing"),
    _at_most("overhead_vs_empty", 2, "run of 200 customers / DAG of empty tasks"),
    _at_most("pages_1m_vs_1k", 2, "pages with a million results / with a thousand"),
    _at_most("search_1m_vs_1k", 2, "the same of a search for one customer's name"),
)
