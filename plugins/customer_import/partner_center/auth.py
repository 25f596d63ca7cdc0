"""Signs in at Microsoft Entra ID: app-only and App+User.

The flows are those of docs/api/partner-center.md section 3. Where the refresh token comes from and where its successor
goes is the caller's business.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from customer_import.http.sign_in import lifetime_s, out_of_order
from customer_import.http.token import AccessToken, is_token
from customer_import.partner_center.entra import ENDPOINT, SERVICE, Flow, ask_entra

if TYPE_CHECKING:
    from collections.abc import Callable

    import msal

    from customer_import.partner_center.entra import Credentials


class PartnerCenterAuth:
    """Fetches access tokens; give its ``fetch`` to a ``TokenSource``.

    Args:
        credentials: What the sign-in needs.
        refresh_token: The current refresh token; only App+User has one.
        save_refresh_token: Keeps the token that replaces it; called in a thread, before the access
            token is used.
        mask: Told every token, so that no log shows it.

    Attributes:
        clock_offset_s: By how many seconds this machine's clock is ahead of Microsoft's; known after ``fetch``.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        refresh_token: str | None = None,
        save_refresh_token: Callable[[str], None],
        mask: Callable[[str], None],
    ) -> None:
        self._credentials = credentials
        self._refresh_token = refresh_token
        self._save = save_refresh_token
        self._mask = mask
        self.clock_offset_s: float | None = None

    async def fetch(self) -> AccessToken:
        """Ask for an access token.

        Raises:
            AuthenticationError: Entra ID refused; says what to do.
            RetriableError: Entra ID could not be reached or is not able to answer now.
        """
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> AccessToken:
        answer = ask_entra(self._credentials, self._ask, self._sent_texts)
        self.clock_offset_s = answer.clock_offset_s
        token = answer.fields.get("access_token")
        if not is_token(token):
            raise out_of_order(SERVICE, ENDPOINT, self._credentials.authority, status=200)
        self._mask(token)
        self._rotate(answer.fields.get("refresh_token"))
        return AccessToken(token, lifetime_s(answer.fields.get("expires_in")))

    @property
    def _sent_texts(self) -> tuple[str, ...]:
        sent = (self._credentials.client_secret, self._refresh_token or "")
        return tuple(sorted(filter(None, sent), key=len, reverse=True))

    def _ask(self, app: msal.ConfidentialClientApplication) -> dict[str, Any] | None:
        resource = self._credentials.resource
        answer: dict[str, Any] | None
        if self._credentials.flow is Flow.APP_ONLY:
            answer = app.acquire_token_for_client([f"{resource}/.default"])
        else:
            answer = app.acquire_token_by_refresh_token(
                self._refresh_token, [f"{resource}/user_impersonation"]
            )
        return answer

    def _rotate(self, token: object) -> None:
        if self._credentials.flow is Flow.APP_ONLY or token == self._refresh_token:
            return
        if not is_token(token):
            return
        self._mask(token)
        self._refresh_token = token
        self._save(token)
