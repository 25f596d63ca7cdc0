"""``python -m tests.mutants [module ...]``: plant small faults in the modules and count those that their tests notice.

The table ``tool.mutants`` of ``pyproject.toml`` names the modules with their files and their tests. mutmut works on a
copy in ``.mutants``, where what it found stays (``mutmut show NAME`` in the module's folder). Survivors that cannot be
noticed, or need not be, are explained in ``survivors.txt`` beside this file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".mutants"
LEAST_PERCENT = 90.0
_COPIED = ("dags", "include", "sandbox", "tests")
_KILLED = frozenset({1, 3, 24, 36, 152, 255, -24})
"""How a test process ends that noticed the fault, or that the fault keeps from ending."""
_EXAMPLES = "60"
"""Few of each property: a fault that is found by luck alone is not found."""
_SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
also_copy = {copied}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-W", "ignore", "--no-header"]
timeout_multiplier = 5.0
timeout_constant = 5.0
"""


def prepare(name: str, files: list[str], tests: list[str]) -> Path:
    """Lay out a folder as mutmut wants it: the package in ``src``; return the folder."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)  # mutmut would believe what it found with other tests
    folder.mkdir(parents=True)
    for link, target in {"src": "plugins", **{copied: copied for copied in _COPIED}}.items():
        (folder / link).symlink_to(ROOT / target)
    settings = _SETTINGS.format(
        files=json.dumps([f"src/customer_import/{file}" for file in files]),
        copied=json.dumps([copied for copied in _COPIED if copied != "tests"]),
        tests=json.dumps(tests),
    )
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + settings)
    return folder


def count(folder: Path) -> tuple[int, list[str]]:
    """Return the number of mutants, and the names of those that nothing noticed."""
    exits: Counter[int | None] = Counter()
    survivors = []
    for path in sorted((folder / "mutants/src").rglob("*.meta")):
        for mutant, exit_code in json.loads(path.read_text())["exit_code_by_key"].items():
            exits[exit_code] += 1
            if exit_code not in _KILLED:
                survivors.append(mutant)
    return exits.total(), survivors


def main() -> int:
    """Try the modules that the command line names, by default all; return the exit status."""
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    names = sys.argv[1:] or list(modules)
    if unknown := sorted(set(names) - set(modules)):
        sys.exit(f"There is no module {', '.join(unknown)}. Hint: one of {', '.join(modules)}")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PROPERTY_EXAMPLES"] = _EXAMPLES
    is_good = True
    for name in names:
        folder = prepare(name, **modules[name])
        command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1"]
        with (folder / "log").open("w") as log:
            ended = subprocess.run(
                command, cwd=folder, env=environment, stdout=log, stderr=log, check=False
            )
        if ended.returncode:
            sys.exit(f"mutmut ended with {ended.returncode}; see {folder / 'log'}")
        total, survivors = count(folder)
        killed = total - len(survivors)
        score = 100 * killed / max(total, 1)
        is_good &= score >= LEAST_PERCENT
        for survivor in survivors:
            print(f"  {survivor}")  # noqa: T201 - a command line
        figures = f"mutants={total} killed={killed} survived={len(survivors)} score={score:.1f}"
        print(f"{name}: {figures}", flush=True)  # noqa: T201 - a command line
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
