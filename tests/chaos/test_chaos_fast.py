"""The fast selection of the chaos cases: every failpoint once, and some two hundred lost answers.

Runs as a program of its own: the worker processes are forked from a server that must begin with the right environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from sandbox.demo.settings import ROOT

KILLS = 26


@pytest.mark.timeout(900)
def test_every_kill_point_once_and_lost_answers_leave_the_state_of_an_undisturbed_import() -> None:
    path = os.pathsep.join(str(part) for part in (ROOT / "plugins", ROOT))
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--fast"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1] if done.stdout else done.stderr[-2_000:]
    counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", last)}
    assert counts["kills"] >= KILLS, done.stdout
    assert counts["ambiguous"] >= 200, done.stdout
    assert counts["lost"] == counts["duplicates"] == counts["wrong"] == 0, done.stdout
    assert "void" not in done.stdout
