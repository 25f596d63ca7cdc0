"""The command itself: its version, its help, wrong usage, and how it is called."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from customer_import import __version__

if TYPE_CHECKING:
    from tests.cli.conftest import Call


@pytest.mark.parametrize("arguments", [("version",), ("--version",)])
def test_the_version_is_the_packages(call: Call, arguments: tuple[str, ...]) -> None:
    said = call(*arguments)
    assert (said.code, said.out) == (0, f"customer-import {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Commands:"),
        (("chek", "sandbox"), "Did you mean 'check'?"),
        (("check", "sandbox", "--jsn"), "--json"),
        (("check", "sandbox", "other"), "other"),
    ],
)
def test_wrong_usage_is_told(call: Call, arguments: tuple[str, ...], words: str) -> None:
    said = call(*arguments)
    assert said.code == 2
    assert words in said.out + said.err


@pytest.mark.parametrize("command", ["check", "results", "roles", "version"])
def test_every_command_is_in_the_help(call: Call, command: str) -> None:
    assert f"  {command} " in call("--help").out
    assert call(command, "--help").code == 0


def test_it_can_be_called_as_a_module_and_starts_without_airflow() -> None:
    called = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "customer_import.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert called.stdout == f"customer-import {__version__}\n"
    assert "airflow.sdk" not in called.stderr
