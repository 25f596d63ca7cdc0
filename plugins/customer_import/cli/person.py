"""Speaks with the person who signs in; nothing secret is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import typer
from airflow.sdk.log import mask_secret

from customer_import.partner_center.consent import sign_in, sign_in_by_address

if TYPE_CHECKING:
    from customer_import.partner_center.consent import Consent, UserCode
    from customer_import.partner_center.entra import Credentials


@dataclass(frozen=True)
class Person:
    """Whoever sits at the terminal.

    Attributes:
        answers: Where the person reads.
    """

    answers: TextIO

    def sign_in(self, credentials: Credentials) -> Consent:
        """Have a code entered; errors as for the function of the same name."""
        return sign_in(credentials, self._show, mask_secret)

    def sign_in_by_address(self, credentials: Credentials) -> Consent:
        """Have an address opened and another pasted; errors as for the function of the same name."""
        return sign_in_by_address(credentials, self._ask_address, mask_secret)

    def _show(self, code: UserCode) -> None:
        asked = f"Open {code.url} in any browser, sign in as the service account, and enter the code {code.code}"
        self._say(f"\n{asked}\nWaiting until {code.minutes} min have passed ...\n")

    def _ask_address(self, url: str) -> str:
        self._say(f"\nOpen this address in any browser, and sign in as the service account:\n{url}")
        self._say(
            "Its last page cannot be shown. Paste that page's address here, it will not be shown:"
        )
        return str(typer.prompt("Address", hide_input=True, err=True))

    def _say(self, text: str) -> None:
        typer.echo(text, self.answers)
