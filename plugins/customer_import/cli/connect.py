"""Connects an instance: looks at both ends, has a person consent at Microsoft, and stores the refresh token.

Group by group, and it ends with the first in which something is wrong: nobody is asked to sign in before the rest is
right, and nothing is stored before everything is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk.log import mask_secret

from customer_import.bss.check import check_bss
from customer_import.bss.looks import Needed
from customer_import.cli.airflow_context import (
    store_variable,
    variable_place,
    why_no_variable_is_stored,
)
from customer_import.cli.check import (
    BSS,
    PARTNER_CENTER,
    check_mappings,
    find_instance,
    impatient,
    neediest,
    of_end,
)
from customer_import.cli.database import ready_engine
from customer_import.config.mapping import load_mappings
from customer_import.errors import AuthenticationError, ConfigurationError, CustomerImportError
from customer_import.http.clock import wrong_clock
from customer_import.http.finding import Finding
from customer_import.partner_center.check import check_partner_center
from customer_import.partner_center.consent import try_application
from customer_import.partner_center.entra import SERVICE
from customer_import.partner_center.error_body import NO_MFA
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.partner_center.refresh_token import (
    LIFETIME_DAYS,
    RefreshTokenVariable,
    cannot_renew,
)
from customer_import.runs.renewals import note_renewal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from customer_import.config.instances import InstanceConfig
    from customer_import.partner_center.consent import Consent
    from customer_import.partner_center.entra import Credentials
    from customer_import.partner_center.hook import ConnectionSettings

    Ask = Callable[[Credentials], Consent]

_APPLICATION, _CONSENT, _MFA, _VARIABLE = "application", "consent", "MFA", "refresh token"


def connect_instance(name: str, ask: Ask) -> Iterator[Finding]:
    """Yield what is found and done, one subject after the other, up to the first group that is not right.

    Args:
        name: Key of ``instances.yaml``.
        ask: Has a person sign in, and returns what was consented to.
    """
    for group in _groups(name, ask):
        findings = []
        for finding in group:
            findings.append(finding)
            yield finding
        if not all(finding.is_right for finding in findings):
            return


def _groups(name: str, ask: Ask) -> Iterator[Iterable[Finding]]:
    instance, found = find_instance(name)
    yield (found,)
    if instance is None:
        return
    yield (check_mappings(instance),)
    yield of_end(BSS, check_bss(impatient(instance.bss), needed=_needed(instance)))
    for group in _partner_center(name, instance, ask):
        yield of_end(PARTNER_CENTER, group)


def _needed(instance: InstanceConfig) -> Needed:
    """Return what the instance's imports name of the BSS's setup."""
    mappings = load_mappings()
    profile = mappings.ordering_profile(instance.bss.ordering_options)
    options = (
        name
        for name, option in mappings.sync_options.items()
        if not option.import_types or set(option.import_types) & set(instance.import_types)
    )
    return Needed(tuple(options), profile.paymentMethod if profile else None)


def _partner_center(name: str, instance: InstanceConfig, ask: Ask) -> Iterator[Iterable[Finding]]:
    hook = PartnerCenterHook(instance.partner_center.conn_id)
    settings = None
    try:
        settings = hook.settings
    except CustomerImportError as error:
        yield (Finding.wrong("connection", error),)
    if settings is None:
        return
    if settings.refresh_token_variable is None:  # the flow app_only: no person signs in
        yield _calls(instance, hook)
        return
    yield (_look_at_variable(settings.refresh_token_variable),)
    yield (_try_application(settings),)
    consent, found = _consent(settings, ask)
    yield found
    if consent is None:
        return
    tokens = [consent.refresh_token]
    hook = PartnerCenterHook(
        instance.partner_center.conn_id,
        refresh_token=consent.refresh_token,
        save_refresh_token=tokens.append,
    )
    yield _calls(instance, hook)
    stored = _store(settings.refresh_token_variable, tokens[-1])
    yield (stored,)
    if stored.is_right:
        yield _remember(name, instance)


def _look_at_variable(name: str) -> Finding:
    """Say whether a refresh token could be stored where it is renewed, before anybody signs in for one."""
    if (place := variable_place(name)) is not None:
        return Finding.wrong(_VARIABLE, cannot_renew(name, place))
    if (trouble := why_no_variable_is_stored()) is not None:
        return Finding.wrong(_VARIABLE, trouble)
    return Finding(_VARIABLE, f"will be stored in the Airflow Variable {name}, where runs renew it")


def _try_application(settings: ConnectionSettings) -> Finding:
    try:
        offset_s = try_application(settings.credentials, mask_secret)
    except CustomerImportError as error:
        return Finding.wrong(_APPLICATION, error)
    if (trouble := wrong_clock(offset_s, "Microsoft's")) is not None:
        return Finding.wrong("clock", ConfigurationError(trouble))
    where = settings.cloud.place.title
    return Finding(_APPLICATION, f"tenant, client id and client secret are right ({where})")


def _consent(settings: ConnectionSettings, ask: Ask) -> tuple[Consent | None, tuple[Finding, ...]]:
    try:
        consent = ask(settings.credentials)
    except CustomerImportError as error:
        return None, (Finding.wrong(_CONSENT, error),)
    signed_in = Finding(_CONSENT, "a person signed in and consented")
    if consent.has_mfa is False:
        return consent, (signed_in, _wrong(Finding(_MFA, f"the token shows that {NO_MFA}")))
    return consent, (signed_in,)


def _calls(instance: InstanceConfig, hook: PartnerCenterHook) -> Iterator[Finding]:
    """Try each call that an import makes; what a check only warns of at this end, an import is not begun with."""
    config = impatient(instance.partner_center)
    for finding in check_partner_center(config, neediest(instance), hook, is_thorough=True):
        yield _wrong(finding) if finding.is_warning else finding


def _store(name: str, token: str) -> Finding:
    try:
        last_day = RefreshTokenVariable(name, write=store_variable).replace(token)
    except CustomerImportError as error:
        return Finding.wrong(_VARIABLE, error)
    return Finding(
        _VARIABLE,
        f"stored in the Airflow Variable {name}. It ends on {last_day}, {LIFETIME_DAYS} days from now; each import "
        "renews it for as long",
    )


def _remember(name: str, instance: InstanceConfig) -> Iterator[Finding]:
    """Remember when the token ends, so that people are told; without a database the token is right all the same."""
    try:
        note_renewal(ready_engine(), name, datetime.now(UTC))
    except CustomerImportError as error:
        yield Finding("last day", f"nobody will be told before it: {error}", is_warning=True)
    if instance.notices and not instance.partner_center.client_secret_ends:
        message = f"give the last day of the client secret as client_secret_ends of {name}, or nobody is told before it"
        yield Finding("last day", message, is_warning=True)


def _wrong(finding: Finding) -> Finding:
    error = AuthenticationError(finding.message, service=SERVICE)
    return replace(finding, error=error, is_warning=False)
