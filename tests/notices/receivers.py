"""A mail server and a web server that keep what they receive."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from email.message import EmailMessage


@dataclass
class MailServer:
    """Takes mail on a port of its own while the block lasts; speaks just enough SMTP."""

    mails: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False
    port: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.port = started.result(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            command = line.split()[0].upper() if line.split() else b""
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                lines = []
                while (part := await reader.readline()) not in {b".\r\n", b""}:
                    lines.append(part)
                parsed = message_from_bytes(b"".join(lines), policy=policy.default)
                self.mails.append(parsed)
            if command == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            is_refused = self.refuses and command == b"RCPT"
            writer.write(
                b"550 nobody@partner.example is unknown\r\n" if is_refused else b"250 ok\r\n"
            )
            await writer.drain()
        writer.close()

    def texts(self) -> list[tuple[str, str]]:
        """Return subject and text of each mail."""
        return [(mail["subject"], _text(mail)) for mail in self.mails]


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("html", "plain"))
    return str(body.get_content()).strip() if body else ""


class WebServer:
    """Takes JSON on a port of its own while the block lasts."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                received.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
