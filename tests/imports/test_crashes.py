"""A load killed at any failpoint, then tried again, leaves the BSS as an undisturbed load does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.vocabulary import ImportType
from tests.imports.scene import Scene, on, open_scene
from tests.imports.victim import kill_load
from tests.support.failpoints import CREATE_FAILPOINTS, UPDATE_FAILPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from customer_import.runs.run import Run

CUSTOMERS = 6
"""More than are at work at once."""


@dataclass
class Staged:
    """A run that is ready to be loaded, as often as wanted, each time into an empty BSS."""

    scene: Scene
    run: Run
    template: Path

    def again(self, folder: Path) -> None:
        """Go back to where nothing was loaded."""
        self.scene.engine.dispose()
        with (
            closing(sqlite3.connect(self.template)) as template,
            closing(sqlite3.connect(folder / "copy.db")) as copy,
        ):
            template.backup(copy)
        self.scene.engine = open_engine(f"sqlite:///{folder / 'copy.db'}")
        self.scene.sandbox.state.reset()

    @property
    def content(self) -> dict[str | None, Any]:
        return self.scene.content(self.run.import_type)


def patient(scene: Scene) -> None:
    """Few customers at once, so that a count tells them apart; a dead POST is soon given up."""
    scene.configure(bss={"concurrency": 1, "request_timeout_s": 0.5})


@pytest.fixture(scope="module", params=list(ImportType))
def staged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Staged]:
    folder = tmp_path_factory.mktemp("staged")
    engine = open_engine(f"sqlite:///{folder / 'template.db'}")
    migrate(engine)
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        open_scene(engine, folder, monkeypatch) as scene,
    ):
        patient(scene)
        scene.sell(request.param, CUSTOMERS)
        yield Staged(scene, scene.stage(request.param), folder / "template.db")
        scene.engine.dispose()


@pytest.fixture(scope="module")
def undisturbed(staged: Staged, tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Any]:
    """What the BSS holds after a load that nothing disturbed."""
    staged.again(tmp_path_factory.mktemp("undisturbed"))
    staged.scene.load(staged.run)
    assert len(staged.content) == CUSTOMERS
    return staged.content


@pytest.mark.parametrize("failpoint", CREATE_FAILPOINTS)
def test_a_load_killed_anywhere_and_tried_again_ends_as_if_undisturbed(
    staged: Staged, undisturbed: dict[str | None, Any], failpoint: str, tmp_path: Path
):
    staged.again(tmp_path)
    kill_load(staged.scene.engine, staged.run, f"{failpoint}:2")
    assert len(staged.scene.results(staged.run.key)) < CUSTOMERS

    staged.scene.load(staged.run, attempt=2)

    report = staged.scene.finish(staged.run)
    assert report.counts() == {"created": CUSTOMERS}
    assert staged.content == undisturbed


@on("sqlite")
@pytest.mark.parametrize("import_type", list(ImportType))
def test_a_killed_update_tried_again_ends_as_if_undisturbed(scene: Scene, import_type: ImportType):
    patient(scene)
    customers = scene.sell(import_type, CUSTOMERS)
    scene.run(import_type)
    for customer in customers:
        scene.edit(
            customer, billingProfile={"lastName": "Example", "defaultAddress": {"city": "Volos"}}
        )
    run = scene.stage(import_type)
    for attempt, failpoint in enumerate(UPDATE_FAILPOINTS, 1):
        kill_load(scene.engine, run, failpoint, attempt)

    report = scene.finish(scene.load(run, attempt=3))

    assert report.counts() == {"updated": CUSTOMERS}
    for customer in customers:
        account = scene.account_of(import_type, customer)
        assert account.values["billingAddress"]["city"] == "Volos"
        assert scene.contact_of(import_type, customer).values["lastName"] == "Example"
    assert scene.run(import_type).counts() == {"unchanged": CUSTOMERS}


@on("postgres")
@pytest.mark.parametrize("import_type", list(ImportType))
def test_a_load_on_postgresql_killed_again_and_again_still_creates_everybody_once(
    scene: Scene, import_type: ImportType
):
    patient(scene)
    scene.sell(import_type, CUSTOMERS)
    run = scene.stage(import_type)
    for attempt, failpoint in enumerate(["after_account_post", "before_contact_post"], 1):
        kill_load(scene.engine, run, failpoint, attempt)

    report = scene.finish(scene.load(run, attempt=3))

    assert report.counts() == {"created": CUSTOMERS}
