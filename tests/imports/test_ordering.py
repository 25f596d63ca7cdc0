"""Ordering options of new accounts that name a payment method: checked before anything is written, and remembered."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from customer_import.config.paths import include_folder
from customer_import.errors import ConfigurationError
from customer_import.runs.reference_data import get_reference
from customer_import.vocabulary import ImportType, ReferenceName
from tests.imports.scene import on

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT


@pytest.fixture
def profile(tmp_path, monkeypatch) -> Callable[..., None]:
    """Add an ordering-options profile."""
    folder = shutil.copytree(include_folder(), tmp_path / "include")
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(folder))
    path = folder / "mappings" / "ordering_options.yaml"

    def add(name: str, **options: object) -> None:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["profiles"][name] = {**content["profiles"]["standard"], **options}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")

    return add


@on("sqlite")
def test_a_new_account_gets_the_payment_method_of_the_chosen_profile(
    scene: Scene, profile: Callable[..., None]
):
    profile("by_card", paymentMethod="Credit card")
    (customer,) = scene.sell(DIRECT)
    run = scene.stage(DIRECT, ordering_options="by_card")
    assert scene.finish(scene.load(run)).counts() == {"created": 1}
    assert scene.account_of(DIRECT, customer).values["paymentMethod"] == "Credit card"
    kept = get_reference(scene.engine, run.key, ReferenceName.ORDERING)
    assert kept["profile"] == "by_card"
    assert kept["options"]["paymentMethod"] == "Credit card"
    choices = get_reference(scene.engine, run.key, ReferenceName.CHOICES)
    assert [one["name"] for one in choices["payment_methods"]] == ["Bank transfer", "Credit card"]


@on("sqlite")
def test_an_unknown_payment_method_stops_the_run_before_it_writes_and_names_the_known_ones(
    scene: Scene, profile: Callable[..., None]
):
    profile("by_barter", paymentMethod="Barter")
    scene.sell(DIRECT)
    with pytest.raises(ConfigurationError, match="no payment method 'Barter'") as caught:
        scene.stage(DIRECT, ordering_options="by_barter")
    assert str(caught.value.hint).startswith(
        "choose one of: Bank transfer, Credit card; or make it"
    )
    assert scene.writes() == []
