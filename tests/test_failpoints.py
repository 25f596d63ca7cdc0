"""A failpoint ends a process where a test arms it, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from customer_import.failpoints import FAILPOINTS, kill_at

_REACH = "from customer_import.failpoints import reached; reached({!r}); print('alive')"


def reach(failpoint: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Reach a failpoint in a process with an environment."""
    return subprocess.run(
        [sys.executable, "-c", _REACH.format(failpoint)],
        env={**os.environ, "PYTHONPATH": "plugins:.", **environment},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("testing", ["", "0", "yes"])
def test_a_failpoint_outside_a_test_kills_nothing_and_says_that_it_is_ignored(testing: str):
    ended = reach(
        "before_token", CUSTOMER_IMPORT_KILL_AT="before_token", CUSTOMER_IMPORT_TESTING=testing
    )

    assert (ended.returncode, ended.stdout) == (0, "alive\n")
    assert ended.stderr.splitlines() == [
        "CUSTOMER_IMPORT_KILL_AT is ignored: it is for tests, which set CUSTOMER_IMPORT_TESTING=1"
    ]


def test_nonsense_in_the_variable_harms_no_process_outside_a_test():
    assert reach("before_token", CUSTOMER_IMPORT_KILL_AT="nowhere:often").stdout == "alive\n"


def test_a_failpoint_that_a_test_arms_kills_the_process():
    environment = {"CUSTOMER_IMPORT_KILL_AT": "after_page", "CUSTOMER_IMPORT_TESTING": "1"}

    assert reach("after_page", **environment).returncode == -signal.SIGKILL
    assert reach("before_page", **environment).stdout == "alive\n"


def test_a_failpoint_kills_at_the_count_that_it_was_given():
    environment = {"CUSTOMER_IMPORT_KILL_AT": "after_page:2", "CUSTOMER_IMPORT_TESTING": "1"}

    assert reach("after_page", **environment).stdout == "alive\n"


def test_an_unknown_failpoint_is_refused_where_a_test_names_it():
    assert len(set(FAILPOINTS)) == len(FAILPOINTS)
    with pytest.raises(ValueError, match="no failpoint 'before_lunch'"):
        kill_at("before_lunch")
