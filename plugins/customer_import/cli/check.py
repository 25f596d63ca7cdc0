"""``python -m customer_import.cli.check INSTANCE``: tries both ends of an instance and says what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

from customer_import.bss.check import check_bss
from customer_import.bss.hook import BssHook, open_client
from customer_import.config.instances import load_instance
from customer_import.config.mapping import load_mappings
from customer_import.errors import CustomerImportError
from customer_import.partner_center.check import check_partner_center
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from customer_import.bss.check import Finding
    from customer_import.config.instances import InstanceConfig


def check_instance(name: str) -> Iterator[tuple[bool, str]]:
    """Yield (is right, what was found) for the configuration and both ends of an instance.

    Args:
        name: Key of ``instances.yaml``.
    """
    try:
        instance = load_instance(name)
        load_mappings().ordering_profile(instance.bss.ordering_options)
    except CustomerImportError as error:
        yield False, str(error)
        return
    yield True, "instance and mapping files are right"
    yield from _check_source(instance)
    yield from _check_target(instance)


def _check_source(instance: InstanceConfig) -> Iterator[tuple[bool, str]]:
    indirect = ImportType.INDIRECT in instance.import_types  # it needs the most rights
    import_type = ImportType.INDIRECT if indirect else instance.import_types[0]
    # Outside a task Airflow stores no variable; Microsoft leaves the refresh token that was used valid.
    hook = PartnerCenterHook(instance.partner_center.conn_id, save_refresh_token=_forget)
    try:
        for finding in check_partner_center(instance, import_type, hook):
            yield True, f"Partner Center, {finding.subject}: {finding.message}"
    except CustomerImportError as error:
        yield False, f"Partner Center: {error}"


def _check_target(instance: InstanceConfig) -> Iterator[tuple[bool, str]]:
    async def check() -> tuple[Finding, ...]:
        async with BssHook(instance.bss.conn_id).session(instance.bss) as session:
            return await check_bss(open_client(session, instance.bss), instance.bss)

    try:
        for finding in asyncio.run(check()):
            yield finding.is_ok, f"BSS, {finding.subject}: {finding.message}"
    except CustomerImportError as error:
        yield False, f"BSS: {error}"


def _forget(_token: str) -> None:
    """Keep no rotated token."""


def main(arguments: list[str] | None = None) -> int:
    """Print one line per finding; 1 when something is wrong."""
    # Outside a task Airflow reads connections from its database only in this context.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    parser = argparse.ArgumentParser(prog="customer_import.cli.check", description=__doc__)
    parser.add_argument("instance", help="key of include/instances.yaml")
    is_right = True
    for ok, message in check_instance(parser.parse_args(arguments).instance):
        is_right = is_right and ok
        sys.stdout.write(f"{'ok   ' if ok else 'WRONG'}  {message}\n")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
