"""The refresh token's Variable: renewed where it is read, left alone where somebody else was at work."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from customer_import.errors import ConfigurationError
from customer_import.partner_center.refresh_token import RefreshTokenVariable

NAME = "refresh_token"


@dataclass
class Variables:
    """Variables as Airflow has them: written to its database, read from a secrets backend first."""

    database: dict[str, str] = field(default_factory=dict)
    backend: dict[str, str] = field(default_factory=dict)

    def read(self, name: str) -> str | None:
        return self.backend.get(name, self.database.get(name))

    def write(self, name: str, value: str) -> None:
        self.database[name] = value

    def token(self) -> RefreshTokenVariable:
        return RefreshTokenVariable(NAME, read=self.read, write=self.write)


def test_each_new_token_replaces_the_one_before() -> None:
    variables = Variables({NAME: "first"})
    token = variables.token()
    assert token.read() == "first"
    for new in ("second", "third"):
        token.save(new)
        assert variables.database == {NAME: new}
    assert token.trouble is None


@pytest.mark.parametrize("saves_before", [0, 1])
def test_an_old_chain_never_overwrites_what_a_person_stored_meanwhile(saves_before: int) -> None:
    variables = Variables({NAME: "first"})
    token = variables.token()
    token.read()
    for number in range(saves_before):
        token.save(f"ours {number}")
    variables.write(NAME, "a person's")
    token.save("of the old chain")
    token.save("of the old chain, later")
    assert variables.database == {NAME: "a person's"}
    assert token.trouble is None


def test_a_variable_that_a_person_deleted_is_not_made_again() -> None:
    variables = Variables({NAME: "first"})
    token = variables.token()
    token.read()
    del variables.database[NAME]
    token.save("second")
    assert variables.database == {}


def test_a_token_of_a_secrets_backend_is_said_to_end(caplog: pytest.LogCaptureFixture) -> None:
    variables = Variables(backend={NAME: "first"})
    token = variables.token()
    token.read()
    with caplog.at_level(logging.WARNING):
        token.save("second")
        token.save("third")
    end = datetime.now(UTC).date() + timedelta(days=90)
    (record,) = caplog.records
    assert token.trouble is not None
    assert token.trouble in record.getMessage()
    assert f"Variable {NAME} from a secrets backend" in token.trouble
    assert f"on {end} at the latest" in token.trouble
    assert "second" not in caplog.text


def test_a_token_of_the_environment_is_not_put_where_nobody_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = Variables(backend={NAME: "first"})
    monkeypatch.setenv("AIRFLOW_VAR_REFRESH_TOKEN", "first")
    token = variables.token()
    token.read()
    token.save("second")
    assert variables.database == {}
    assert "the environment variable AIRFLOW_VAR_REFRESH_TOKEN" in (token.trouble or "")


def test_none_at_all_is_told() -> None:
    with pytest.raises(ConfigurationError, match=f"variable {NAME}: there is no refresh token"):
        Variables().token().read()
