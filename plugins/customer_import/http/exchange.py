"""What ``requests`` leaves open: a bound on a whole exchange, and one kind of error for whatever breaks it.

Its time-outs are for one piece each. A server that sends a byte now and then, or interim answers without end, would
hold a thread for good, and with it the process: an interpreter does not end before its threads.
"""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

_BROKEN = (ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException)
"""What comes through ``requests`` unchanged, such as the ``ValueError`` of a chunk of a negative size."""
_here = threading.local()


class _Deadline:
    """Shuts the connection that an answer is waited for on, when that takes too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self.is_over = False

    def begin(self, connection: _Watched) -> None:
        """Count from now: for a handshake, and anew for what it is asked, perhaps again."""
        self.end()
        self.is_over = False
        self._timer = threading.Timer(self._seconds, self._shut, [connection.line])
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _shut(self, line: socket.socket) -> None:
        self.is_over = True
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    line: socket.socket
    """The same connection under another number: TLS takes the first one away."""

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.line = made.dup()
        self._begin()
        return made

    def getresponse(self) -> Any:  # noqa: ANN401 - as the base class
        self._begin()
        return super().getresponse()

    def close(self) -> None:
        super().close()
        if hasattr(self, "line"):
            self.line.close()

    def _begin(self) -> None:
        deadline: _Deadline | None = getattr(_here, "deadline", None)
        if deadline is not None:
            deadline.begin(self)


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class BoundedAdapter(HTTPAdapter):
    """Makes connections that ``exchange`` can bound."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as the base class
        """Make the pools."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the base class
        """Make the pools of a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


@contextmanager
def exchange(seconds: float) -> Iterator[None]:
    """Bound what is sent and read in a block by a session with ``BoundedAdapter``.

    Args:
        seconds: For a handshake, and from the end of a request to the last byte of its answer; each try has its own.

    Raises:
        requests.Timeout: That took longer.
        requests.RequestException: The exchange broke, in whatever way.
    """
    deadline = _here.deadline = _Deadline(seconds)
    try:
        yield
    except Exception as error:
        if deadline.is_over:  # whatever half an answer was taken for
            raise requests.Timeout from None
        if isinstance(error, _BROKEN) and not isinstance(error, requests.RequestException):
            raise requests.ConnectionError(error) from None
        raise
    finally:
        deadline.end()
        _here.deadline = None
    if deadline.is_over:
        raise requests.Timeout
