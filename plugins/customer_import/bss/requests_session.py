"""A ``requests`` session to the BSS, for whoever writes a DAG of their own; the import has one of its own kind.

The token goes to the BSS and nowhere else: no redirect is followed, another host is refused. Only methods that do no
harm when repeated are tried again. Errors are the import's, not those of ``requests``.

Why: docs/decisions/0005-own-transport.md.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.util import Retry
from yarl import URL

from customer_import.bss.token import (
    ENDPOINT,
    SERVICE,
    TOKEN_PATH,
    BssCredentials,
    password_grant,
    read_token,
)
from customer_import.errors import ConfigurationError, RetriableError
from customer_import.http.body import (
    MAX_BODY,
    MAX_ERROR_BODY,
    MEGABYTE,
    OversizedBodyError,
    read_response,
)
from customer_import.http.classify import asked_wait_s, is_transient
from customer_import.http.exchange import BoundedAdapter, exchange
from customer_import.http.no_answer import why_no_answer
from customer_import.http.proxy import ProxiedSession
from customer_import.http.sign_in import SignInSession, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import BaseHTTPResponse

    from customer_import.http.token import AccessToken

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""
LONGEST_S = 600.0
"""For a whole answer."""
_UNAUTHORIZED = 401


class _Retry(Retry):
    """Retries that read ``Retry-After`` as the import does: in both forms, capped, nonsense ignored."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        return asked_wait_s(response.headers, datetime.now(UTC))


RETRIES = _Retry(
    total=5,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=frozenset(filter(is_transient, range(400, 600))),
    allowed_methods=("GET", "HEAD", "OPTIONS", "PUT", "DELETE"),
    raise_on_status=False,
)


class _Adapter(BoundedAdapter):
    """Never waits without end, and takes in no answer without end; one that the caller streams is the caller's."""

    def __init__(self, retries: Retry, max_body: int) -> None:
        super().__init__(max_retries=retries)
        self._max_body = max_body

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the base class has the same signature
        timeout: Any = None,  # noqa: ANN401 - as the base class
        *args: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> requests.Response:
        with exchange(LONGEST_S):
            response = super().send(request, stream, timeout or TIMEOUT_S, *args, **options)
            if not stream:
                try:
                    response._content = read_response(response, self._max_body)
                except OversizedBodyError:
                    message = f"the answer is larger than {self._max_body / MEGABYTE:g} MB"
                    raise requests.RequestException(message, request=request) from None
        return response


class BearerAuth(AuthBase):
    """Signs requests to one host with a token, fetched when it is first needed and renewed once on a 401.

    Args:
        base_url: Requests to any other scheme, host or port are refused.
        fetch: Asks for a token.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        base_url: str,
        fetch: Callable[[], AccessToken],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin = URL(base_url).origin()
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._value = ""
        self._ends_at = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request.

        Raises:
            AuthenticationError: The BSS refused the credentials.
            ConfigurationError: The request is for another host.
            RetriableError: The sign-in cannot be reached.
        """
        if URL(request.url or "").origin() != self._origin:
            message = "the request is for another host than the connection's"
            raise ConfigurationError(message, hint="name the path alone, such as /api/accounts")
        self._sign(request)
        request.register_hook("response", self._renew)  # type: ignore[no-untyped-call]
        return request

    def _renew(self, response: requests.Response, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request again that was refused for its token; the adapter calls no hook a second time."""
        request = response.request
        if response.status_code != _UNAUTHORIZED or hasattr(request.body, "read"):
            return response
        _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        again = request.copy()
        self._sign(again, rejected=str(request.headers["Authorization"]))
        answer: requests.Response = response.connection.send(again, **options)
        answer.history.append(response)
        return answer

    def _sign(self, request: requests.PreparedRequest, rejected: str | None = None) -> None:
        with self._lock:
            if self._value == rejected or self._clock() >= self._ends_at:
                token = self._fetch()
                self._value = f"Bearer {token.value}"
                self._ends_at = self._clock() + token.usable_s()
            request.headers["Authorization"] = self._value


class BssSession(ProxiedSession):
    """Sends requests to paths of one BSS.

    Args:
        base_url: Paths begin here.
        auth: Signs the requests.
        headers: Sent with every request.
        ca_file: Authorities to trust, whatever the environment names.
    """

    def __init__(
        self, base_url: str, auth: AuthBase, headers: Mapping[str, str], ca_file: str | None
    ) -> None:
        super().__init__()
        self.base_url = base_url
        self.auth = auth
        self.headers.update(headers)
        self.verify = ca_file or True
        _mount(self, RETRIES, MAX_BODY)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Complete the path to a URL."""
        request.url = urljoin(f"{self.base_url}/", str(request.url))
        return super().prepare_request(request)

    def merge_environment_settings(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Let the connection's CA file beat the one that the environment names."""
        settings = super().merge_environment_settings(*args, **options)
        return settings | ({"verify": self.verify} if self.verify is not True else {})

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request.

        Raises:
            RetriableError: There was no answer.
        """
        try:
            return super().send(request, **options)
        except requests.RequestException as error:
            raise _no_answer(error, request) from None


def fetch_token(
    base_url: str,
    credentials: BssCredentials,
    ca_file: str | None,
    mask: Callable[[str], None],
) -> AccessToken:
    """Do what ``customer_import.bss.token.fetch_token`` does, without an event loop.

    Raises:
        AuthenticationError: The credentials were refused; says in words which.
        RetriableError: The endpoint could not be reached or is out of order.
    """
    url = base_url + TOKEN_PATH
    with SignInSession() as http:
        # To ask again for a token does no harm.
        _mount(http, RETRIES.new(allowed_methods=None), MAX_ERROR_BODY)
        try:
            response = http.post(
                url,
                data=password_grant(credentials),
                auth=HTTPBasicAuth(
                    credentials.client_key.encode(), credentials.client_secret.encode()
                ),
                verify=ca_file or True,
            )
        except requests.RequestException as error:
            raise unanswered(SERVICE, ENDPOINT, error, url) from None
    return read_token(
        url,
        response.status_code,
        response.headers,
        response.content,
        mask,
        credentials.sent_texts,
    )


def _mount(session: requests.Session, retries: Retry, max_body: int) -> None:
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(retries, max_body))


def _no_answer(
    error: requests.RequestException, request: requests.PreparedRequest
) -> RetriableError:
    url = request.url or ""
    found = why_no_answer(error, url)
    endpoint = f"{request.method} {URL(url).path}"
    return RetriableError(found.message, service=SERVICE, endpoint=endpoint, is_sent=found.is_sent)
