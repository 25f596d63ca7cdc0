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
from customer_import.partner_center.hook import PartnerCenterHook, forget_token
from customer_import.partner_center.refresh_token import not_renewed
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from customer_import.config.instances import InstanceConfig

PARTNER_CENTER, BSS = "Partner Center", "BSS"
ConfigT = TypeVar("ConfigT", PartnerCenterConfig, BssConfig)

_MAX_ATTEMPTS = 2
"""A person waits for the answer, and can ask again."""


def check_instance(name: str) -> Iterator[Finding]:
    """Yield what is found, one subject after the other.

    Args:
        name: Key of ``instances.yaml``. Of an unknown one nothing but that can be said.
    """
    instance, finding = find_instance(name)
    yield finding
    if instance is None:
        return
    yield check_mappings(instance)
    yield from of_end(PARTNER_CENTER, _check_partner_center(instance))
    yield from of_end(BSS, check_bss(impatient(instance.bss)))


def find_instance(name: str) -> tuple[InstanceConfig | None, Finding]:
    """Return an instance, ``None`` when there is none of that name or it is wrong, and what is to be said of it."""
    try:
        instance = load_instance(name)
    except CustomerImportError as error:
        return None, Finding.wrong("instance", error)
    return instance, Finding("instance", f"{name!r} is configured: {instance.title}")


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


def check_mappings(instance: InstanceConfig) -> Finding:
    """Say whether the mapping files can be read, and have the instance's profile."""
    try:
        load_mappings().ordering_profile(instance.bss.ordering_options)
    except CustomerImportError as error:
        return Finding.wrong("mapping files", error)
    return Finding("mapping files", "can be read")


def _check_partner_center(instance: InstanceConfig) -> Iterable[Finding]:
    import_type = neediest(instance)
    # Outside a task Airflow stores no variable; Microsoft leaves the refresh token that was used valid.
    hook = PartnerCenterHook(instance.partner_center.conn_id, save_refresh_token=forget_token)
    for finding in check_partner_center(impatient(instance.partner_center), import_type, hook):
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


def neediest(instance: InstanceConfig) -> ImportType:
    """Return the import of an instance that needs the most rights."""
    is_indirect = ImportType.INDIRECT in instance.import_types
    return ImportType.INDIRECT if is_indirect else instance.import_types[0]


def impatient(config: ConfigT) -> ConfigT:
    """Return the settings of an end with as few tries as a person has patience for."""
    return config.model_copy(update={"max_attempts": min(config.max_attempts, _MAX_ATTEMPTS)})


def of_end(end: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Name the end that findings are of."""
    for finding in findings:
        yield replace(finding, subject=f"{end}, {finding.subject}")
