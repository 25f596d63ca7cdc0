"""What a run does before it fetches anything: prove both ends, and look up the BSS organisation once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from customer_import.bss.hook import BssHook, open_client
from customer_import.bss.organisation import read_organisation
from customer_import.database.engine import reading
from customer_import.errors import RejectedRequestError
from customer_import.partner_center.check import check_partner_center
from customer_import.runs.latest import is_unseen
from customer_import.runs.organisations import check_organisation, read_left_out
from customer_import.runs.reference_data import put_reference
from customer_import.runs.renewals import note_renewed, open_hook
from customer_import.text import trim
from customer_import.vocabulary import Mode, ReferenceName

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import OrderingProfile
    from customer_import.partner_center.hook import PartnerCenterHook
    from customer_import.runs.run import Run

log = logging.getLogger(__name__)


def prepare_run(run: Run, engine: Engine, hook: PartnerCenterHook | None = None) -> None:
    """Sign in at both ends, read once from Partner Center, and store the organisation as reference data.

    Args:
        run: The run.
        engine: The import's database.
        hook: Another way into Partner Center than the instance's connection.

    Raises:
        AuthenticationError: Credentials or consent were refused at either end.
        OutageError: One end has answered nobody for as long as it is waited for.
        ConfigurationError: A connection, or something that the BSS organisation must have, is missing or wrong; or
            it is another organisation than the one that the instance wrote to.
    """
    waits = run.params.mode is not Mode.CHECK
    _say_if_unseen(run, engine)
    hook = hook or open_hook(engine, run)
    findings = check_partner_center(
        run.instance.partner_center, run.import_type, hook, waits_for_outages=waits
    )
    note_renewed(engine, run, hook)
    for finding in findings:
        if finding.error is not None:
            raise finding.error
        level = logging.WARNING if finding.is_warning else logging.INFO
        log.log(level, "Partner Center, %s: %s", finding.subject, finding.message)
    bss = BssHook(run.instance.bss.conn_id)
    check_organisation(engine, run, bss.organisation)
    organisation = asyncio.run(_read_organisation(run, bss, waits_for_outages=waits))
    left_out = read_left_out(engine, run.params.instance)
    found = asyncio.run(_find_options(run, bss, organisation, left_out, waits_for_outages=waits))
    organisation = organisation.model_copy(
        update={"identity": bss.organisation, "found_options": found}
    )
    found_by_name = organisation.choices.model_dump(mode="json")
    body = organisation.model_dump(mode="json", exclude={"choices"})
    put_reference(engine, run.key, ReferenceName.ORGANISATION, body)
    put_reference(engine, run.key, ReferenceName.CHOICES, found_by_name)
    if (profile := _profile(run)) is not None:
        ordering = {"profile": run.ordering_options, "options": profile.options}
        put_reference(engine, run.key, ReferenceName.ORDERING, ordering)
    log.info(
        "BSS: %d countries, tenant marker is custom field %d, sync options in %s",
        len(organisation.countries),
        organisation.tenant_marker_field_id,
        f"system {organisation.sync_system_id}" if organisation.sync_system_id else "no system",
    )


def _say_if_unseen(run: Run, engine: Engine) -> None:
    if run.params.mode is not Mode.IMPORT:
        return
    with reading(engine) as connection:
        is_first = is_unseen(connection, run.import_type, run.params.instance, besides=run.key)
    if is_first:
        log.warning(
            "This is the first %s import of instance %s, and nobody has made a preview of it: what it writes to the "
            "BSS stays there. A run of the mode preview says beforehand what an import would do, and writes nothing.",
            run.import_type,
            run.params.instance,
        )


def _profile(run: Run) -> OrderingProfile | None:
    return run.mappings.ordering_profile(run.ordering_options)


async def _read_organisation(run: Run, bss: BssHook, *, waits_for_outages: bool) -> Organisation:
    config, profile = run.instance.bss, _profile(run)
    async with bss.session(config, waits_for_outages=waits_for_outages) as session:
        return await read_organisation(
            open_client(session, config),
            config,
            responsible_user=run.params.responsible_user,
            permission_rule=run.params.permission_rule,
            payment_method=profile.paymentMethod if profile else None,
        )


async def _find_options(
    run: Run,
    bss: BssHook,
    organisation: Organisation,
    left_out: tuple[list[int], frozenset[str]],
    *,
    waits_for_outages: bool,
) -> tuple[str, ...]:
    """Return which sync options of those that were left out the organisation has by now."""
    accounts, names = left_out
    if not accounts or organisation.sync_system_id is None:
        return ()
    config = run.instance.bss
    async with bss.session(config, waits_for_outages=waits_for_outages) as session:
        client = open_client(session, config)
        for account_id in accounts:
            try:
                options = await client.sync_options(account_id, organisation.sync_system_id)
            except RejectedRequestError:
                continue  # this account is gone; the load says so
            there = {trim(text).casefold() for one in options for text in (one.name, one.alias)}
            return tuple(sorted(name for name in names if trim(name).casefold() in there))
    return ()
