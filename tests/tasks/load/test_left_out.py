"""What was left out is written as soon as it can be; until then its warning stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sandbox.bss.setup import SyncOption
from tests.tasks.load.scene import customers

if TYPE_CHECKING:
    from sandbox.bss.setup import ExternalSystem
    from tests.tasks.load.scene import Scene

INN = "Organisation INN"
ABSENT = f"The BSS organisation has no sync option {INN!r}; it was left out."

pytestmark = pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)


def add_option(scene: Scene) -> None:
    """Set up the option, as a person does in the BSS."""
    setup = scene.records.setup
    own = setup.microsoft
    grown = replace(own, options=(*own.options, SyncOption("inn", INN)))
    systems = tuple(grown if system is own else system for system in setup.systems)
    scene.records.setup = replace(setup, systems=systems)


def test_option_that_the_organisation_gets_later_is_written_by_the_next_run(scene: Scene):
    staged = [customer.having(options={INN: "77"}) for customer in customers(3)]
    scene.run(staged)
    asked = scene.requests("sync_options.get")
    unchanged = scene.run(staged)
    for customer in staged:
        row = scene.results(unchanged)[customer.tenant_id]
        assert (row.outcome, row.warnings) == ("unchanged", [ABSENT])
    assert scene.requests("sync_options.get") == asked + 1  # of all three together
    add_option(scene)
    run = scene.run(staged)
    for customer in staged:
        row = scene.results(run)[customer.tenant_id]
        assert (row.outcome, row.warnings) == ("updated", None)
        assert scene.options_of(scene.account_of(customer))["inn"] == "77"
    asked = scene.requests("sync_options.get")
    assert scene.outcomes(scene.run(staged)) == ["unchanged"] * 3
    assert scene.requests("sync_options.get") == asked


def test_options_of_a_system_that_the_organisation_gets_later_are_written(scene: Scene):
    scene.configure(sync_system="Google Workspace")
    customer = customers(1)[0]
    scene.run([customer])
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert result.outcome == "unchanged"
    assert "has no sync option 'Domain prefix'" in result.warnings[0]
    scene.configure()
    assert scene.outcomes(scene.run([customer])) == ["updated"]
    assert scene.faults() == {}


class OddSystem:
    """An external system that says once that it has no options."""

    def __init__(self, system: ExternalSystem) -> None:
        self._system = system
        self._has_said_none = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._system, name)

    @property
    def options(self) -> tuple[SyncOption, ...]:
        had, self._has_said_none = self._has_said_none, True
        return self._system.options if had else ()


def test_one_empty_answer_about_the_options_is_not_believed(scene: Scene):
    setup = scene.records.setup
    odd = OddSystem(setup.microsoft)
    scene.records.setup = replace(setup, systems=(odd, setup.systems[1]))  # type: ignore[arg-type]
    assert scene.outcomes(scene.run(customers(3))) == ["created"] * 3
    assert scene.faults() == {}
