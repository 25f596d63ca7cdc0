"""Runs a sandbox: four ports, one event loop, in the foreground or in a thread of its own."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.bss.setup import MPN_ALIAS, PROVIDER, TENANT_MARKER, TENANT_RESELLER
from sandbox.clouds import API_HOSTS, SIGN_IN_HOSTS
from sandbox.control import Control
from sandbox.front import Front
from sandbox.info import OrganisationInfo, SandboxInfo
from sandbox.tls import CA_FILE, server_context
from sandbox.world import World

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Self

    from sandbox.bss import Bss, Organisation
    from sandbox.config import SandboxConfig
    from sandbox.edge import Service
    from sandbox.exchanges import Exchange
    from sandbox.faults import FaultPlan
    from sandbox.partner_center import Source
    from sandbox.request_log import RequestLog

_LOOPBACK = "127.0.0.1"
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound
_MAX_BODY = 4 * 1024 * 1024
_START_TIMEOUT_S = 60.0


class SandboxServer:
    """A sandbox in a background thread, for tests and benchmarks.

    Use it as a context manager. The attributes below read the running state; they are safe to read
    from another thread between requests. Change state through the control API or, for faults,
    through `faults`.
    """

    def __init__(self, config: SandboxConfig) -> None:
        """Take the configuration; nothing is started yet."""
        self._config = config
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._state: World | None = None
        self._info: SandboxInfo | None = None

    def __enter__(self) -> Self:
        """Start and wait until all ports answer."""
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self._ready.wait(_START_TIMEOUT_S)
        if self._info is None:
            message = "the sandbox did not start"
            raise RuntimeError(message) from self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop and wait for the end."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()

    @property
    def info(self) -> SandboxInfo:
        """Addresses and credentials."""
        if self._info is None:
            message = "the sandbox is not running"
            raise RuntimeError(message)
        return self._info

    @property
    def state(self) -> World:
        """Everything that the sandbox holds."""
        if self._state is None:
            message = "the sandbox is not running"
            raise RuntimeError(message)
        return self._state

    @property
    def bss(self) -> Bss:
        """The BSS with its records."""
        return self.state.bss

    @property
    def source(self) -> Source:
        """Partner Center's data."""
        return self.state.source

    @property
    def requests(self) -> RequestLog:
        """Counts of requests."""
        return self.state.requests

    @property
    def exchanges(self) -> list[Exchange]:
        """Requests and answers as they were on the wire; empty unless keeping is switched on."""
        kept = self.state.edge.exchanges
        return [] if kept is None else kept

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong."""
        return self.state.faults

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started this one
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with running(self._config) as (state, info):
            self._state, self._info = state, info
            self._ready.set()
            await self._stop.wait()


@asynccontextmanager
async def running(config: SandboxConfig) -> AsyncIterator[tuple[World, SandboxInfo]]:
    """Run a sandbox in the current event loop while the block runs.

    Args:
        config: What to run.

    Yields:
        The state and the announcement, which is also written to the configured file.
    """
    async with AsyncExitStack() as stack:
        folder = config.data_dir or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        state = World(config, folder)
        stack.callback(state.close)
        info = await _open_ports(state, folder, stack)
        if config.info_file is not None:
            info.write(config.info_file)
        yield state, info


async def _open_ports(state: World, folder: Path, stack: AsyncExitStack) -> SandboxInfo:
    config = state.config
    names = ("localhost", _LOOPBACK, "::1", *([config.public_host] if config.public_host else ()))
    clouds_names = (*SIGN_IN_HOSTS, *API_HOSTS) if config.cloud else ()
    tls = server_context(folder, (*names, *clouds_names))
    entra_port = await _listen(
        _app(state, state.entra.service, state.entra.routes()),
        (config.host, config.entra_port),
        stack,
        tls,
    )
    partner_center_port = await _listen(
        _app(state, state.partner_center.service, state.partner_center.routes()),
        (config.host, config.partner_center_port),
        stack,
    )
    bss_port = await _listen(
        _app(state, state.bss.service, state.bss.routes()), (config.host, config.bss_port), stack
    )
    proxy_port = await _open_front(state, entra_port, tls, stack) if config.cloud else None
    control = web.Application(client_max_size=_MAX_BODY)
    control.add_routes(Control(state).routes())
    control_port = await _listen(control, (_LOOPBACK, config.control_port), stack)
    reachable = _LOOPBACK if config.host in _WILDCARDS else config.host
    host = config.public_host or reachable
    return SandboxInfo(
        # msal's users write localhost; the certificate is good for the address as well.
        entra_url=f"https://{config.public_host or 'localhost'}:{entra_port}",
        partner_center_url=f"http://{host}:{partner_center_port}",
        bss_url=f"http://{host}:{bss_port}",
        control_url=f"http://{_LOOPBACK}:{control_port}",
        proxy_url=f"http://{_LOOPBACK}:{proxy_port}" if proxy_port else None,
        ca_file=str((folder / CA_FILE).resolve()),
        partner_tenant_id=state.credentials.tenant_id,
        client_id=state.credentials.client_id,
        client_secret=state.credentials.client_secret,
        refresh_token=state.entra.refresh_token(),
        tenant_reseller_mpn_id=state.source.tenant_reseller.mpn_id,
        tenant_reseller_tenant_id=state.source.tenant_reseller.tenant_id,
        provider=_organisation_info(state.organisations[PROVIDER]),
        tenant_reseller=_organisation_info(state.organisations[TENANT_RESELLER]),
        unplaced_bodies=tuple(state.served.unplaced) if state.served else (),
    )


async def _open_front(
    state: World, entra_port: int, tls: ssl.SSLContext, stack: AsyncExitStack
) -> int:
    """Open the proxy that leads the hosts of all clouds here; each service knows which are not its own."""
    service = state.partner_center.service
    api_port = await _listen(
        _app(state, service, state.partner_center.routes()), (state.config.host, 0), stack, tls
    )
    ports = dict.fromkeys(SIGN_IN_HOSTS, entra_port) | dict.fromkeys(API_HOSTS, api_port)
    reachable = _LOOPBACK if state.config.host in _WILDCARDS else state.config.host
    front = await asyncio.start_server(Front(reachable, ports).serve, _LOOPBACK, 0)
    stack.callback(front.close)
    port: int = front.sockets[0].getsockname()[1]
    return port


def _app(state: World, service: Service, routes: list[web.RouteDef]) -> web.Application:
    app = web.Application(middlewares=[state.edge.middleware(service)], client_max_size=_MAX_BODY)
    app.add_routes(routes)
    return app


async def _listen(
    app: web.Application,
    address: tuple[str, int],
    stack: AsyncExitStack,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Open a port and return its number."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, *address, ssl_context=tls, backlog=1024)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


def _organisation_info(organisation: Organisation) -> OrganisationInfo:
    setup = organisation.setup
    system = setup.microsoft
    return OrganisationInfo(
        name=setup.name,
        username=setup.credentials.username,
        password=setup.credentials.password,
        client_key=setup.credentials.client_key,
        client_secret=setup.credentials.client_secret,
        tenant_marker_field=TENANT_MARKER,
        sync_system_id=system.id,
        sync_system_name=system.name,
        has_mpn_option=any(option.alias == MPN_ALIAS for option in system.options),
    )
