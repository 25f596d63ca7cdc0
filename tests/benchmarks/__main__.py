"""Runs the benchmarks: a table of every figure with its target, and one JSON object on the last line.

``python -m tests.benchmarks [--quick] [--only NAME ...]``. Figures are ratios from one run on one machine; a key
without a figure was not measured in this run, and is left out of the JSON.
"""

from __future__ import annotations

import argparse
import sys
import time

import orjson

from tests.benchmarks.experiments import EXPERIMENTS, FULL, QUICK, Report
from tests.benchmarks.keys import KEYS


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, one run each, no Airflow"
    )
    parser.add_argument("--only", nargs="*", choices=sorted(EXPERIMENTS), default=[])
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    # A whole Airflow takes a minute to start and run, at any size.
    chosen = set(options.only) or set(EXPERIMENTS) - ({"overhead"} if options.quick else set())
    if "memory" in chosen:
        chosen.add("stages")
    report = Report()
    for name, experiment in EXPERIMENTS.items():
        if name in chosen:
            started = time.monotonic()
            experiment(report, sizes)
            sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n")
    sys.stdout.write(_table(report))
    sys.stdout.write(orjson.dumps(report.figures | {"measured": report.notes}).decode() + "\n")
    return 0


def _table(report: Report) -> str:
    lines = []
    for key in KEYS:
        value = report.figures.get(key.name)
        sign = ">=" if key.is_floor else "<="
        shown = "not measured" if value is None else f"{value:.4g}"
        verdict = "" if value is None else ("pass" if key.is_met(value) else "MISS")
        lines.append(
            f"{key.name:<30} {shown:>12}  {sign} {key.target:<6g} {verdict:<5} {key.meaning}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
