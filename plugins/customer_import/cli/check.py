"""Looks at an instance before it imports: its files, its Partner Center, its BSS; all of them, whatever is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from customer_import.bss.check import check_bss
from customer_import.cli.airflow_context import variable_place
from customer_import.config.instances import (
    BssConfig,
    PartnerCenterConfig,
    load_instance,
    load_instances,
)
from customer_import.config.mapping import load_mappings
from customer_import.errors import CustomerImportError
from customer_import.http.finding import SIGN_IN, Finding
from customer_import.partner_center.check import check_partner_center
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.partner_center.refresh_token import not_renewed
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from customer_import.config.instances import InstanceConfig

ConfigT = TypeVar("ConfigT", PartnerCenterConfig, BssConfig)

_MAX_ATTEMPTS = 2
"""A person waits for the answer, and can ask again."""


def check_instance(name: str) -> Iterator[Finding]:
    """Yield what is found, one subject after the other.

    Args:
        name: Key of ``instances.yaml``. Of an unknown one nothing but that can be said.
    """
    try:
        instance = load_instance(name)
    except CustomerImportError as error:
        yield Finding.wrong("instance", error)
        return
    yield Finding("instance", f"{name!r} is configured: {instance.title}")
    yield _check_mappings(instance)
    yield from _of("Partner Center", _check_partner_center(instance))
    yield from _of("BSS", check_bss(_impatient(instance.bss)))


def known_instances() -> list[str]:
    """Return the names that ``check_instance`` takes.

    Raises:
        ConfigurationError: The instances file is missing or wrong.
    """
    return sorted(load_instances())


def as_line(finding: Finding) -> str:
    """Return a finding for people."""
    mark = "WRONG" if not finding.is_right else "warn " if finding.is_warning else "ok   "
    return f"{mark}  {finding.subject}: {finding.message}"


def as_record(finding: Finding) -> dict[str, Any]:
    """Return a finding for programs."""
    return {
        "subject": finding.subject,
        "is_right": finding.is_right,
        "message": finding.message,
    }


def _check_mappings(instance: InstanceConfig) -> Finding:
    try:
        load_mappings().ordering_profile(instance.bss.ordering_options)
    except CustomerImportError as error:
        return Finding.wrong("mapping files", error)
    return Finding("mapping files", "can be read")


def _check_partner_center(instance: InstanceConfig) -> Iterable[Finding]:
    indirect = ImportType.INDIRECT in instance.import_types  # it needs the most rights
    import_type = ImportType.INDIRECT if indirect else instance.import_types[0]
    # Outside a task Airflow stores no variable; Microsoft leaves the refresh token that was used valid.
    hook = PartnerCenterHook(instance.partner_center.conn_id, save_refresh_token=_forget)
    for finding in check_partner_center(_impatient(instance.partner_center), import_type, hook):
        if finding.subject == SIGN_IN and finding.is_right:
            yield _with_renewal(finding, hook.settings.refresh_token_variable)
        else:
            yield finding


def _with_renewal(finding: Finding, variable: str | None) -> Finding:
    """Add whether a run could renew the refresh token where it is; nothing is stored to find that out."""
    place = variable_place(variable) if variable else None
    if variable is None or place is None:
        return finding
    return replace(finding, message=f"{finding.message}; {not_renewed(variable, place)}")


def _impatient(config: ConfigT) -> ConfigT:
    return config.model_copy(update={"max_attempts": min(config.max_attempts, _MAX_ATTEMPTS)})


def _of(end: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield replace(finding, subject=f"{end}, {finding.subject}")


def _forget(_token: str) -> None:
    """Keep no rotated token."""
