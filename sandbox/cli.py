"""The command line: run a sandbox, or check what an import left in one."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.clouds import Cloud
from sandbox.config import ClassMix, RateLimit, RateWindow, SandboxConfig
from sandbox.faults import FaultRule
from sandbox.info import SandboxInfo
from sandbox.server import running

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHECK_TIMEOUT_S = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the program's name; None takes those of the process.

    Returns:
        The exit code: 1 when a check found something.
    """
    options = _parser().parse_args(arguments)
    if options.command == "check":
        return _check(options.url or SandboxInfo.read(options.info_file).control_url)
    asyncio.run(_serve(_config(options)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_serve(commands.add_parser("serve", help="run Entra ID, Partner Center and the BSS"))
    check = commands.add_parser("check", help="check what stands in a running sandbox's BSS")
    which = check.add_mutually_exclusive_group(required=True)
    which.add_argument("--url", help="base of the control API")
    which.add_argument("--info-file", type=Path, help="what it wrote when it was ready")
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
    add = serve.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--public-host", help="name that the announced URLs carry")
    for name in ("entra", "partner-center", "bss", "control"):
        add(f"--{name}-port", type=int, default=0, help="0 takes a free one")
    add("--customers", type=int, default=600)
    add("--resellers", type=int, default=8)
    add("--seed", type=int, default=1)
    add("--mix", type=ClassMix.parse, default=ClassMix(), help="direct=45,indirect=30,...")
    add("--data-dir", type=Path, help="where state survives a restart")
    add("--info-file", type=Path, help="written when the sandbox is ready")
    add("--latency-ms", type=float, default=0.0)
    add("--rate-limit", help="requests/seconds per resource of Partner Center, such as 500/60")
    add("--rate-window", choices=[window.value for window in RateWindow], default="fixed")
    add("--token-ttl-s", type=float, default=3600.0)
    add("--existing-accounts", type=int, default=0, help="accounts there before any import")
    add("--serve-bodies", type=Path, help="folder of Partner Center bodies")
    add("--no-mfa", action="store_true", help="issue App+User tokens without proof of MFA")
    add("--no-role", action="store_true", help="issue them to an account without an agent role")
    add("--cloud", type=Cloud, choices=list(Cloud), help="play one of Microsoft's clouds")
    add("--clock-offset-s", type=float, default=0.0, help="how far the services' clock is ahead")
    add(
        "--hide-without-access",
        action="store_true",
        help="leave out what Microsoft shows with delegated access only",
    )
    add("--not-a-provider", action="store_true", help="refuse reseller calls with 403 / 1002")
    add("--no-owner-fields", action="store_true", help="refuse responsible user and the like")
    add(
        "--strict-accounts",
        action="store_true",
        help="refuse accounts without all fields that the specification requires",
    )
    add("--keep-requests", action="store_true", help="keep single requests, not only counts")
    add("--fault", type=FaultRule.parse, action="append", default=[], metavar="SPEC")
    add(
        "--faults",
        type=FaultRule.parse_all,
        default=(),
        metavar="SPECS",
        help="several, separated by semicolons",
    )


def _config(options: argparse.Namespace) -> SandboxConfig:
    limit = RateLimit.parse(options.rate_limit, options.rate_window) if options.rate_limit else None
    return SandboxConfig(
        host=options.host,
        public_host=options.public_host,
        entra_port=options.entra_port,
        partner_center_port=options.partner_center_port,
        bss_port=options.bss_port,
        control_port=options.control_port,
        customers=options.customers,
        resellers=options.resellers,
        seed=options.seed,
        mix=options.mix,
        data_dir=options.data_dir,
        info_file=options.info_file,
        latency_ms=options.latency_ms,
        rate_limit=limit,
        token_ttl_s=options.token_ttl_s,
        has_mfa=not options.no_mfa,
        has_role=not options.no_role,
        cloud=options.cloud,
        clock_offset_s=options.clock_offset_s,
        hides_without_access=options.hide_without_access,
        is_indirect_provider=not options.not_a_provider,
        accepts_owner_fields=not options.no_owner_fields,
        requires_ordering_fields=options.strict_accounts,
        existing_accounts=options.existing_accounts,
        serve_bodies=options.serve_bodies,
        keeps_request_log=options.keep_requests,
        faults=(*options.fault, *options.faults),
    )


async def _serve(config: SandboxConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(config) as (state, info):
        # The population lives as long as the process: keep it out of garbage collection.
        gc.freeze()
        print(_start_line(len(state.source.customers), info), flush=True)  # noqa: T201 - a command line
        await stop.wait()


def _start_line(customers: int, info: SandboxInfo) -> str:
    unplaced = (
        f", unplaced bodies {', '.join(info.unplaced_bodies)}" if info.unplaced_bodies else ""
    )
    return (
        f"sandbox ready: {customers} customers, entra {info.entra_url}, "
        f"partner center {info.partner_center_url}, bss {info.bss_url}, "
        f"control {info.control_url}{unplaced}"
    )


def _check(url: str) -> int:
    with urllib.request.urlopen(f"{url.rstrip('/')}/check", timeout=_CHECK_TIMEOUT_S) as answer:  # noqa: S310 - the operator's own URL
        report = json.load(answer)
    for owner, figures in report["figures"].items():
        for name, count in figures.items():
            print(f"{owner} {name} {count}")  # noqa: T201 - a command line
    return 0 if report["is_clean"] else 1
