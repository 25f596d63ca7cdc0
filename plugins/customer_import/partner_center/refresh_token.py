"""The refresh token in its Airflow Variable: read, and renewed there after each sign-in, when that is possible.

Airflow writes Variables into its own database, but reads them from environment and secrets backends first. A token
that comes from there stays as it is: signing in goes on until it ends, which must be said long before.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import Variable

from customer_import.errors import ConfigurationError
from customer_import.http.connection import read_secret_variable

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

LIFETIME_DAYS = 90
"""Docs/api/partner-center.md section 3."""


class RefreshTokenVariable:
    """A refresh token in an Airflow Variable.

    Attributes:
        name: The Variable.
        trouble: Why the token cannot be renewed there, in words; known after ``save``.
        is_renewed: Whether ``save`` has stored one.
    """

    def __init__(
        self,
        name: str,
        *,
        read: Callable[[str], str | None] = read_secret_variable,
        write: Callable[[str, str], None] = Variable.set,
    ) -> None:
        self.name = name
        self.trouble: str | None = None
        self.is_renewed = False
        self._read = read
        self._write = write
        self._known: str | None = None
        self._is_left = False

    def read(self) -> str:
        """Return the token.

        Raises:
            ConfigurationError: There is none.
        """
        self._known = self._read(self.name)
        if self._known is None:
            message = "there is no refresh token"
            hint = "run 'customer-import connect' for the instance: a person signs in once with MFA, and it is stored"
            raise ConfigurationError(message, source=f"variable {self.name}", hint=hint)
        return self._known

    def save(self, token: str) -> None:
        """Store the token that replaces the one that was read, unless somebody stored another meanwhile.

        The older chain of tokens may end at any time, for instance because a person had a reason to sign in anew.
        """
        if self._is_left:
            return
        if self._read(self.name) != self._known:
            self._is_left = True
            log.info(
                "The Variable %s holds another refresh token than this task began with; it is kept",
                self.name,
            )
            return
        place = environment_place(self.name)
        if place is None:
            self._write(self.name, token)
            if self._read(self.name) == token:
                self._known = token
                self.is_renewed = True
                return
        self._is_left = True
        self.trouble = not_renewed(self.name, place or "a secrets backend")
        log.warning("Partner Center: %s", self.trouble)

    def replace(self, token: str) -> date:
        """Store the token of a new sign-in, whatever is there, and return its last day.

        Raises:
            ConfigurationError: Airflow does not read it from there.
        """
        self._write(self.name, token)
        if self._read(self.name) != token:
            raise cannot_renew(self.name, environment_place(self.name) or "a secrets backend")
        self._known = token
        return _last_day()


def cannot_renew(name: str, place: str) -> ConfigurationError:
    """Return the error of a Variable into which no refresh token can be stored.

    Args:
        name: The Airflow Variable.
        place: Where Airflow reads it from.
    """
    message = (
        f"Airflow reads it from {place}, where no refresh token can be renewed: what is stored in Airflow's own "
        "database would never be read"
    )
    hint = "remove it there, or name another Variable as refresh_token_variable of the connection"
    return ConfigurationError(message, source=f"variable {name}", hint=hint)


def environment_place(name: str) -> str | None:
    """Return which environment variable of this process is read as a Variable; ``None`` when none is."""
    variable = f"AIRFLOW_VAR_{name.upper()}"
    return f"the environment variable {variable}" if variable in os.environ else None


def not_renewed(name: str, place: str) -> str:
    """Return in words that a refresh token cannot be renewed where it is, and when it ends.

    Args:
        name: The Airflow Variable.
        place: Where Airflow reads it from.
    """
    end = _last_day()
    return (
        f"the refresh token cannot be renewed where it is: Airflow reads the Variable {name} from {place}, and stores "
        f"what a sign-in renews in its own database. It ends {LIFETIME_DAYS} days after it was issued, on {end} at "
        "the latest; then a person must sign in again. Hint: store it as a Variable of Airflow's own, and not there"
    )


def _last_day() -> date:
    """Return the day on which a token that is issued now ends."""
    return datetime.now(UTC).date() + timedelta(days=LIFETIME_DAYS)
