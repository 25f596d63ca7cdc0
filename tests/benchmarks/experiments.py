"""The experiments: each gives figures by key, from interleaved runs of ours and of the peers."""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.arena import Arena, arena, bare_environment, run_client, run_pages
from tests.benchmarks.overhead import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Run = Callable[[], dict[str, Any]]

LATENCY_MS = 50
BSS_CUSTOMER_ENDPOINTS = ("bss.accounts", "bss.contacts", "bss.sync_options")
_WINDOW_CALLS, _WINDOW_S = 500, 10.0
_SMALL_RUN = 200
_PAGES = (
    "first page",
    "deep page",
    "outcome filter",
    "sorted by name",
    "search, common word",
    "overview",
)
_SEARCHES = ("search, one customer", "all runs, one customer")


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    repeat: int
    customers: int
    sequential: int
    limited: int
    loaded: int
    rows: int
    few: int
    many: int
    recurring: int
    page_rows: int


FULL = Sizes(3, 2_000, 200, 3_000, 2_000, 100_000, 1_000, 100_000, 10_000, 1_000_000)
QUICK = Sizes(1, 400, 40, 1_500, 300, 20_000, 1_000, 20_000, 1_000, 20_000)


@dataclass
class Report:
    """Figures by key, and what they were computed from."""

    figures: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def extraction(report: Report, sizes: Sizes) -> None:
    """Ours and the peers on the same customers, two calls each."""
    with arena(customers=sizes.customers, latency_ms=LATENCY_MS, mix="direct=1") as sandbox:
        medians = interleave(
            {
                "ours_c16": lambda: sandbox.client("extract", concurrency=16),
                "bare_c16": lambda: sandbox.client("bare_extract", concurrency=16),
                "ours_c64": lambda: sandbox.client("extract", concurrency=64),
                "bare_c64": lambda: sandbox.client("bare_extract", concurrency=64),
                "dlt_c64": lambda: sandbox.client("dlt_extract", concurrency=64),
                "threads_16": lambda: sandbox.client("threads"),
                "sequential": lambda: sandbox.client("sequential", customers=sizes.sequential),
            },
            sizes.repeat,
        )
    seconds = {name: one["seconds"] for name, one in medians.items()}
    seconds["sequential"] *= sizes.customers / sizes.sequential
    report.notes["extract_s"] = seconds
    report.notes["extract_peak_mb"] = {name: one["peak_mb"] for name, one in medians.items()}
    report.figures |= {
        "extract_vs_bare_c16": seconds["bare_c16"] / seconds["ours_c16"],
        "extract_vs_bare_c64": seconds["bare_c64"] / seconds["ours_c64"],
        "extract_vs_dlt_c64": seconds["dlt_c64"] / seconds["ours_c64"],
        "extract_vs_sequential_c16": seconds["sequential"] / seconds["ours_c16"],
        "extract_cpu_vs_bare": medians["ours_c16"]["cpu_s"] / medians["bare_c16"]["cpu_s"],
    }


def limits(report: Report, sizes: Sizes) -> None:
    """At the ceiling: 500 calls a window of 10 s and resource, counted by fixed and by sliding windows.

    Both at the same time, half a window apart: a run waits for its next window nearly all of the time.
    """
    windows = {"fixed": 0.0, "sliding": _WINDOW_S / 2}
    shares: dict[str, list[float]] = {window: [] for window in windows}
    throttled = 0
    with ThreadPoolExecutor(len(windows)) as threads:
        for _ in range(sizes.repeat):
            runs = {
                window: threads.submit(_limited, window, sizes.limited, delay_s)
                for window, delay_s in windows.items()
            }
            for window, run in runs.items():
                share, refused = run.result()
                shares[window].append(share)
                throttled += refused
    report.figures["limit_throttled"] = throttled
    for window in windows:
        report.figures[f"limit_share_{window}"] = statistics.median(shares[window])


def _limited(window: str, customers: int, delay_s: float) -> tuple[float, int]:
    """Return the share of the ideal time, and the 429 answers; in a new sandbox, whose windows are empty."""
    limit = f"{_WINDOW_CALLS}/{_WINDOW_S:g}"
    with arena(
        customers=customers,
        latency_ms=LATENCY_MS,
        mix="direct=1",
        rate_limit=limit,
        rate_window=window,
    ) as sandbox:
        time.sleep(delay_s)
        ours = sandbox.client(
            "extract",
            concurrency=64,
            requests_per_minute=round(_WINDOW_CALLS * 60 / _WINDOW_S),
            window_s=_WINDOW_S,
        )
        asked = sandbox.requests().get("partner_center.customers.subscriptions", 0)
        # Full windows at once, the last one as fast as the latency lets it.
        full, rest = divmod(asked - 1, _WINDOW_CALLS)
        ideal = full * _WINDOW_S + (rest + 1) / 64 * 2 * LATENCY_MS / 1000
        return ideal / ours["seconds"], sandbox.throttled()


def loading(report: Report, sizes: Sizes) -> None:
    """Three dependent writes a customer, into an empty BSS each time."""
    with arena(customers=sizes.loaded, latency_ms=0, mix="direct=1") as fast:
        database, file = str(fast.folder / "staged.db"), str(fast.folder / "bodies.json")
        run = fast.client("stage", database=database)["run"]
        fast.client("bodies", database=database, run=run, file=file)
        kept = Path(database).read_bytes(), Path(file).read_bytes()
    with arena(customers=1, latency_ms=LATENCY_MS) as sandbox:
        database, file = str(sandbox.folder / "staged.db"), str(sandbox.folder / "bodies.json")
        Path(database).write_bytes(kept[0])
        Path(file).write_bytes(kept[1])

        def into_empty(subject: str, **options: Any) -> dict[str, Any]:
            sandbox.control("/reset", {}, "POST")
            return sandbox.client(subject, **options)

        ours = {"database": database, "run": run}
        medians = interleave(
            {
                "ours_c16": lambda: into_empty("load", **ours, concurrency=16),
                "bare_c16": lambda: into_empty("bare_load", file=file, concurrency=16),
                "dlt_c16": lambda: into_empty("dlt_load", file=file, concurrency=16),
                "ours_c64": lambda: into_empty("load", **ours, concurrency=64),
                "bare_c64": lambda: into_empty("bare_load", file=file, concurrency=64),
            },
            sizes.repeat,
        )
    seconds = {name: one["seconds"] for name, one in medians.items()}
    report.notes["load_s"] = seconds
    report.notes["load_requests"] = medians["ours_c16"]["requests"]
    report.figures |= {
        "load_vs_bare_c16": seconds["bare_c16"] / seconds["ours_c16"],
        "load_vs_bare_c64": seconds["bare_c64"] / seconds["ours_c64"],
        "load_vs_dlt_c16": seconds["dlt_c16"] / seconds["ours_c16"],
    }


def stages(report: Report, sizes: Sizes) -> None:
    """Validation and transform of many rows, and their memory beside that of few."""
    with tempfile.TemporaryDirectory(prefix="customer-import-bench-") as name:
        folder = Path(name)
        environment = bare_environment(folder)

        def client(subject: str, **options: Any) -> dict[str, Any]:
            return run_client(subject, environment, folder=name, **options)

        filled = {}
        for size in {sizes.rows, sizes.few}:
            database = str(folder / f"{size}.db")
            run = client("fill", database=database, customers=size)["run"]
            filled[size] = {"database": database, "run": run}
        big, small = filled[sizes.rows], filled[sizes.few]
        medians = interleave(
            {
                "validate": lambda: client("validate", **big),
                "gx": lambda: client("gx", **big),
                "gx_same_work": lambda: client("gx_same_work", **big),
                "transform": lambda: client("transform", **big),
                "mapping": lambda: client("mapping", **big),
                "normalize": lambda: client("normalize", customers=sizes.rows),
                "validate_few": lambda: client("validate", **small),
                "transform_few": lambda: client("transform", **small),
            },
            sizes.repeat,
        )
    seconds = {name: one["seconds"] for name, one in medians.items()}
    peaks = {name: one["peak_mb"] for name, one in medians.items()}
    report.notes |= {"stages_s": seconds, "stages_peak_mb": peaks}
    report.figures |= {
        "validate_vs_gx": seconds["validate"] / seconds["gx"],
        "validate_vs_same_work": seconds["validate"] / seconds["gx_same_work"],
        # Both from memory to memory.
        "transform_vs_normalize": seconds["normalize"] / seconds["mapping"],
    }
    report.notes["transform_stage_vs_normalize"] = seconds["normalize"] / seconds["transform"]
    report.notes["peaks"] = {
        "many": {"validate": peaks["validate"], "transform": peaks["transform"]},
        "few": {"validate": peaks["validate_few"], "transform": peaks["transform_few"]},
    }


def memory(report: Report, sizes: Sizes) -> None:
    """The largest task process, with many customers in the run and with few."""
    peaks: Mapping[str, dict[str, float]] = report.notes.pop("peaks")
    for name, customers in (("few", sizes.few), ("many", sizes.many)):
        with arena(customers=customers, latency_ms=0, mix="direct=1") as sandbox:
            peaks[name]["extract"] = sandbox.client("extract", concurrency=32)["peak_mb"]
    report.notes["memory_mb"] = peaks
    report.figures["memory_ratio"] = max(peaks["many"].values()) / max(peaks["few"].values())


def recurring(report: Report, sizes: Sizes) -> None:
    """A full run, one in which nothing changed, and one in which 1 % changed."""
    with arena(customers=sizes.recurring, latency_ms=0, mix="direct=1") as sandbox:
        database = str(sandbox.folder / "recurring.db")

        def run(scope: str) -> tuple[int, dict[str, int], dict[str, Any]]:
            before = sandbox.requests()
            figures = sandbox.client("recurring", database=database, scope=scope)
            after = sandbox.requests()
            spent = {name: count - before.get(name, 0) for name, count in after.items()}
            asked = sum(n for name, n in spent.items() if name.startswith("partner_center."))
            return asked, spent, figures

        full, _, _ = run("full")
        nothing, spent, figures = run("changed")
        tenants = [row["tenant_id"] for row in sandbox.control("/customers?class=direct")]
        for tenant in tenants[:: max(1, 100)]:
            body = {"document": {"billingProfile": {"defaultAddress": {"city": "Larissa"}}}}
            sandbox.control(f"/customers/{tenant}", body, "PATCH")
        some, _, _ = run("changed")
    report.notes["recurring_requests"] = {"full": full, "nothing": nothing, "one percent": some}
    report.notes["recurring_s"] = {"nothing": figures["seconds"]}
    report.figures |= {
        "recurring_requests_share": nothing / full,
        "recurring_1pct_requests_share": some / full,
        "bss_requests_unchanged": sum(
            count for name, count in spent.items() if name.startswith(BSS_CUSTOMER_ENDPOINTS)
        ),
    }


def parsing(report: Report, sizes: Sizes) -> None:
    """The DAG files beside an empty one."""
    with tempfile.TemporaryDirectory(prefix="customer-import-bench-") as name:
        figures = run_client("parse", bare_environment(Path(name)), folder=name)
    report.notes["parse"] = figures
    slowest = max(figures["ratios"].values())
    report.figures |= {
        "parse_vs_empty": slowest,  # what Airflow costs, for the most part
        "parse_vs_same_shape": slowest / figures["same_shape"],
    }


def overhead(report: Report, sizes: Sizes) -> None:
    """A whole run in real Airflow beside a DAG of the same shape with empty tasks."""
    seconds = measure(_SMALL_RUN, sizes.repeat)
    report.notes["overhead_s"] = seconds
    report.figures["overhead_vs_empty"] = seconds["ours"] / seconds["empty"]


def pages(report: Report, sizes: Sizes) -> None:
    """The slowest kind of page, and of search for one name: medians with many rows by those with a thousand.

    A search for what stands inside a word, or nowhere, reads every name: its times are among what was measured.
    """
    with tempfile.TemporaryDirectory(prefix="customer-import-bench-") as name:
        figures = run_pages(bare_environment(Path(name)), sizes.page_rows)
    report.notes["pages"] = figures
    report.figures["pages_1m_vs_1k"] = max(figures[kind]["ratio"] for kind in _PAGES)
    report.figures["search_1m_vs_1k"] = max(figures[kind]["ratio"] for kind in _SEARCHES)


def interleave(runs: Mapping[str, Run], repeat: int) -> dict[str, dict[str, Any]]:
    """Run every subject in turn, ``repeat`` times, and give each one's run of median duration."""
    done: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            done[name].append(run())
    return {
        name: sorted(figures, key=lambda one: one["seconds"])[len(figures) // 2]
        for name, figures in done.items()
    }


EXPERIMENTS = {
    "extraction": extraction,
    "limits": limits,
    "loading": loading,
    "stages": stages,
    "memory": memory,
    "recurring": recurring,
    "parsing": parsing,
    "overhead": overhead,
    "pages": pages,
}
__all__ = ["EXPERIMENTS", "FULL", "QUICK", "Arena", "Report", "Sizes"]
